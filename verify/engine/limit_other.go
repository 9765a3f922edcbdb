//go:build !unix

package engine

// AddressSpace is 0: there is no such limit on Windows.
func AddressSpace() uint64 { return 0 }

// OpenFiles is 0: there is no such limit on Windows.
func OpenFiles() uint64 { return 0 }
