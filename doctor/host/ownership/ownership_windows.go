package ownership

// RootOnly has nothing to refuse on Windows: no process runs there as another
// user with this user's profile, and elevated programs are started one by one.
func RootOnly(string) error { return nil }
