//go:build (gocvworker || ortworker) && !linux && !windows && !darwin
// +build gocvworker ortworker
// +build !linux
// +build !windows
// +build !darwin

package main

import "errors"

func libraries() ([]string, error) { return nil, errors.New("not known on this system") }
