package peak

// fastest is the loop of every 64-bit ARM.
func fastest() *loop { return &loop{fma128, 2 * 12 * 4} }

//go:noescape
func fma128(rounds int64)
