//go:build !amd64 && !arm64

package peak

// fastest is nil: this architecture has no probe.
func fastest() *loop { return nil }
