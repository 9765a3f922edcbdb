package report_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/deployctl/deployctl/doctor/report"
)

// TestWrapChinese: lines break between Chinese characters, none is wider than the
// terminal, none begins with what closes or ends with what opens, and nothing is lost.
func TestWrapChinese(t *testing.T) {
	text := "deployctl 在此无法安装任何内容：未找到软件包管理器（apt、apk、brew、dnf、pacman、zypper）。请手动安装缺少的内容，然后重新运行 `deployctl doctor`。缺少 C++ 编译器、pkg-config 和 OpenCV 4。"
	for _, width := range []int{60, 80, 120} {
		wrapped := report.Wrap(text, 11, width)
		lines := strings.Split(wrapped, "\n"+strings.Repeat(" ", 11))
		if len(lines) < 2 {
			t.Errorf("%d columns: not wrapped: %q", width, wrapped)
		}
		for i, line := range lines {
			if n := report.Columns(line); n > width-11 || i < len(lines)-1 && n < width-11-20 {
				t.Errorf("%d columns: a line has %d: %q", width, n, line)
			}
			first, _ := utf8.DecodeRuneInString(line)
			last, _ := utf8.DecodeLastRuneInString(line)
			if strings.ContainsRune("，。、；：）", first) || strings.ContainsRune("（", last) {
				t.Errorf("%d columns: %q", width, line)
			}
		}
		if joined := strings.Join(lines, ""); strings.ReplaceAll(joined, " ", "") != strings.ReplaceAll(text, " ", "") {
			t.Errorf("%d columns: %q", width, joined)
		}
		if !strings.Contains(wrapped, "`deployctl doctor`") {
			t.Errorf("%d columns: the command is divided: %q", width, wrapped)
		}
	}
}
