package probetest_test

import (
	"testing"

	"github.com/deployctl/deployctl/doctor/probe/internal/probetest"
)

func TestContract(t *testing.T) { probetest.Contract(t, probes()) }
