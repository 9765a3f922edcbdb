package console

import "golang.org/x/sys/windows"

// utf8Page is the code page of UTF-8.
const utf8Page = 65001

// unicodeConsole reports whether what is written can hold any character: a console gets
// UTF-16 from Go itself; who reads a pipe or a file decodes it with the console's code
// page. Without a console nobody does.
func unicodeConsole(tty bool) bool {
	page, err := windows.GetConsoleOutputCP()
	return tty || err != nil || page == 0 || page == utf8Page
}
