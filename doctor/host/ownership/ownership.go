// Package ownership answers one question about this machine: who else can change
// what lies at a path? It reads owners and modes and changes nothing. The
// installers and verify ask it before every use of a cache.
package ownership

// UnsafeError says that another user could replace what root would find at Path.
type UnsafeError struct {
	Path string // the folder or link at fault
	Why  string
}

// Error is one sentence.
func (e *UnsafeError) Error() string {
	return "root does not use " + e.Path + ": " + e.Why
}
