//go:build gocvworker && !linux && !windows && !darwin
// +build gocvworker,!linux,!windows,!darwin

package main

import "errors"

func libraries() ([]string, error) { return nil, errors.New("not known on this system") }
