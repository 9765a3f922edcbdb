package environment

import (
	"strings"
)

const (
	codeIntegrity     = `HKLM\SYSTEM\CurrentControlSet\Control\CI\Policy`
	memoryManagement  = `HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management`
	controlledFolders = `HKLM\SOFTWARE\Microsoft\Windows Defender\Windows Defender Exploit Guard\Controlled Folder Access`
)

// guarded are the folders of a user's that Controlled folder access guards by itself
// (Microsoft, "Protect important folders with controlled folder access").
var guarded = []string{"Documents", "Pictures", "Videos", "Music", "Favorites"}

// windows reads what Windows' registry says of all programs.
func (p *prober) windows() {
	key, err := p.h.RegistryKey(p.ctx, codeIntegrity, "64")
	if v, ok := key.Value("VerifiedAndReputablePolicyState"); err == nil && ok {
		p.e.SmartAppControl = v.Int == 1 // 2 is evaluation, which blocks nothing
	}
	key, err = p.h.RegistryKey(p.ctx, memoryManagement, "64")
	if v, ok := key.Value("PagingFiles"); err == nil && ok {
		p.e.NoPagingFile = strings.TrimSpace(v.String) == ""
	}
	key, err = p.h.RegistryKey(p.ctx, controlledFolders, "64")
	if v, ok := key.Value("EnableControlledFolderAccess"); err == nil && ok && v.Int == 1 { // 2 only writes a log
		p.e.GuardedFolder = p.guardedFolder()
	}
}

// guardedFolder is the guarded folder that the current one lies in: one that Windows
// guards by itself, or one that was added; "" for none.
func (p *prober) guardedFolder() string {
	var folders []string
	if home := p.h.Env("USERPROFILE"); home != "" {
		for _, name := range guarded {
			folders = append(folders, p.h.Join(home, name))
		}
	}
	key, err := p.h.RegistryKey(p.ctx, controlledFolders+`\ProtectedFolders`, "64")
	if err == nil {
		for folder := range key.Values {
			folders = append(folders, folder)
		}
	}
	for _, folder := range folders {
		folder = strings.TrimRight(folder, `\`)
		if below := p.h.Dir + `\`; folder != "" && len(below) > len(folder) && strings.EqualFold(below[:len(folder)+1], folder+`\`) {
			return folder
		}
	}
	return ""
}
