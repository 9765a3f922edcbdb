package host

import (
	"encoding/binary"
	"testing"
	"unicode/utf16"
)

// aliasData is the reparse data of an alias with these strings.
func aliasData(tag uint32, texts ...string) []byte {
	body := []byte{3, 0, 0, 0}
	for _, text := range texts {
		for _, c := range utf16.Encode([]rune(text + "\x00")) {
			body = binary.LittleEndian.AppendUint16(body, c)
		}
	}
	data := binary.LittleEndian.AppendUint32(nil, tag)
	data = binary.LittleEndian.AppendUint16(data, uint16(len(body)))
	return append(append(data, 0, 0), body...)
}

func TestAliasTarget(t *testing.T) {
	const id = "Microsoft.DesktopAppInstaller_8wekyb3d8bbwe"
	const exe = `C:\Program Files\WindowsApps\Microsoft.DesktopAppInstaller_1.26.430.0_x64__8wekyb3d8bbwe\winget.exe`
	whole := aliasData(appExecLink, id, id+"!winget", exe, "0")
	if got := aliasTarget(whole); got != exe {
		t.Errorf("the alias starts %q", got)
	}
	if got := aliasTarget(aliasData(appExecLink, id, id+"!x", `C:\Users\jürgen 模\x.exe`, "0")); got != `C:\Users\jürgen 模\x.exe` {
		t.Errorf("the alias starts %q", got)
	}
	if got := aliasTarget(aliasData(0xA000000C, id, id, exe, "0")); got != "" { // a symbolic link
		t.Errorf("another reparse point starts %q", got)
	}
	if got := aliasTarget(aliasData(appExecLink, id)); got != "" {
		t.Errorf("an alias without a program starts %q", got)
	}
	for n := range whole { // cut short anywhere, also with a length that fits
		aliasTarget(whole[:n])
		cut := append([]byte(nil), whole[:n]...)
		if n >= 12 {
			binary.LittleEndian.PutUint16(cut[4:], uint16(n-8))
			if got := aliasTarget(cut); got != "" && got != exe {
				t.Errorf("cut at %d the alias starts %q", n, got)
			}
		}
	}
}
