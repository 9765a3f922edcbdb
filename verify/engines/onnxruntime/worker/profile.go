//go:build nativeworker

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// providers counts the nodes of a profiled run by the provider that ran them.
func providers(prefix string) (map[string]int, error) {
	files, err := filepath.Glob(prefix + "*.json")
	if err != nil || len(files) != 1 {
		return nil, fmt.Errorf("there are %d profiles, not 1", len(files))
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		return nil, fmt.Errorf("read the profile: %v", err)
	}
	var events []struct {
		Category string `json:"cat"`
		Args     struct {
			Provider string `json:"provider"`
		} `json:"args"`
	}
	if err := json.Unmarshal(raw, &events); err != nil {
		return nil, fmt.Errorf("read the profile: %v", err)
	}
	count := map[string]int{}
	for _, e := range events {
		// A node has further events, without a provider, for its parts.
		if e.Category == "Node" && e.Args.Provider != "" {
			count[e.Args.Provider]++
		}
	}
	return count, nil
}
