package doctor

import "github.com/deployctl/deployctl/doctor/probe"

// Probes is the one list of what is looked at.
func Probes() []probe.Probe {
	return []probe.Probe{}
}
