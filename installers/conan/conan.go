// Package conan is Conan 2: argv, state and the meaning of what it says. It must
// never change the machine. Run under Wine with a stand-in only.
//
// Sources: docs.conan.io/2, reference/commands/install, remove, list (options,
// JSON), conan/cli/exit_codes.py (statuses).
package conan

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/deployctl/deployctl/doctor/host"
	"github.com/deployctl/deployctl/installers/pkgmgr"
	"github.com/deployctl/deployctl/installers/step"
)

// Manager returns the Conan manager. It fills the user's own cache; what makes a
// build find the packages is the project's own conanfile.
func Manager() *pkgmgr.Manager {
	return &pkgmgr.Manager{
		Name: "conan", Tool: "conan", Path: "conan",
		UndoBy: "conan remove",
		Limit:  6 * time.Hour, // it may compile
		Note:   "Conan compiles what its servers do not have for this compiler",
		Install: func(p []string) []string {
			args := []string{"install"}
			for _, ref := range p {
				args = append(args, "--requires="+ref)
			}
			// No environment scripts: they would be written into the folder
			// that deployctl was started in.
			return append(args, "--build=missing", "--envs-generation=false")
		},
		Remove: func(p []string, _ bool) []string {
			if len(p) != 1 {
				return nil
			}
			return []string{"remove", p[0], "--confirm"}
		},
		NoRemove: "conan remove NAME/VERSION --confirm, for each",
		Alone:    true, // remove takes one
		Installed: func(ctx context.Context, h *host.Host) (map[string]pkgmgr.Installed, error) {
			tool := "conan"
			if found := h.LookPath(ctx, tool); len(found) > 0 {
				tool = found[0]
			}
			out, err := h.Run(ctx, host.Command{Argv: []string{tool, "list", "*:*", "--format=json"}})
			if err != nil {
				return nil, fmt.Errorf("list Conan's packages: %w", err)
			}
			if out.Exit != 0 {
				return nil, fmt.Errorf("list Conan's packages: conan ended with exit status %d: %s", out.Exit, step.Clean(string(out.Stderr), 200))
			}
			return ParseList(out.Stdout)
		},
		Explain: explain,
	}
}

// ParseList reads conan list's JSON. A recipe counts when the cache has a binary
// package of it; its version is part of its name.
func ParseList(data []byte) (map[string]pkgmgr.Installed, error) {
	var doc map[string]map[string]json.RawMessage
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("list Conan's packages: %w", err)
	}
	list := map[string]pkgmgr.Installed{}
	for ref, raw := range doc["Local Cache"] {
		var recipe struct {
			Revisions map[string]struct {
				Packages map[string]json.RawMessage `json:"packages"`
			} `json:"revisions"`
		}
		if json.Unmarshal(raw, &recipe) != nil {
			continue // "error": what Conan could not read
		}
		_, version, ok := strings.Cut(ref, "/")
		version, _, _ = strings.Cut(version, "@")
		for _, r := range recipe.Revisions {
			if ok && len(r.Packages) > 0 {
				list[ref] = pkgmgr.Installed{Version: version, Ready: true}
			}
		}
	}
	return list, nil
}

func explain(exit int, lines []string) *step.Failure {
	const again = "then run deployctl again"
	rules := []pkgmgr.Rule{
		{Any: []string{"the default build profile", "conan profile detect"}, Kind: step.Conflict,
			Cause: "Conan has no profile that says which compiler to use", Next: "run conan profile detect, " + again},
		{Any: []string{"permission denied", "access is denied"}, Kind: step.NoPrivilege,
			Cause: "Conan may not write into its folder", Next: "make it writable for this user, " + again},
		pkgmgr.NotFound("unable to find", "not resolved: no remote", "not found in local cache"),
		pkgmgr.Conflict("version conflict", "conflicts with", "missing prebuilt package"),
		{Any: []string{"error in build() method", "error in package() method"}, Kind: step.Other,
			Cause: "a package could not be compiled", Next: "read the log, mend what it says, " + again},
	}
	f := pkgmgr.Explainer("conan", rules)(exit, lines)
	if f.Kind == step.Other {
		switch exit {
		case 3, 4: // USER_CTRL_C, USER_CTRL_BREAK
			f.Kind, f.Cause, f.Next = step.Cancelled, "Conan was stopped", "run deployctl again and let it finish"
		case 6: // ERROR_INVALID_CONFIGURATION
			f.Kind, f.Cause, f.Next = step.Conflict, "a package does not support this compiler or its settings", "change Conan's profile, "+again
		}
	}
	return f
}
