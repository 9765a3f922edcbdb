//go:build (gocvworker || nativeworker) && !linux && !windows && !darwin
// +build gocvworker nativeworker
// +build !linux
// +build !windows
// +build !darwin

package main

import "errors"

func libraries() ([]string, error) { return nil, errors.New("not known on this system") }
