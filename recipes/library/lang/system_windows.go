package lang

import "golang.org/x/sys/windows"

// System are the user's languages for windows and menus, most wanted first. Where
// Windows does not say, it is none.
func System() []string {
	names, err := windows.GetUserPreferredUILanguages(windows.MUI_LANGUAGE_NAME)
	if err != nil {
		return nil
	}
	return names
}
