package gpu

import "testing"

// TestCapabilityOf: names that mislead, each by its id, and what is not known.
func TestCapabilityOf(t *testing.T) {
	for id, want := range map[string]string{
		"10de:25a9": "8.6",  // GeForce RTX 2050 is a GA107
		"10de:0de9": "2.1",  // GeForce GT 630M is a GF108
		"10de:1c03": "6.1",  // GeForce GTX 1060
		"10de:1e84": "7.5",  // GeForce RTX 2070 Super
		"10de:2504": "8.6",  // GeForce RTX 3060
		"10de:2684": "8.9",  // GeForce RTX 4090
		"10DE:2B85": "12.0", // GeForce RTX 5090
		"10de:20b0": "8.0",  // A100
		"10de:2330": "9.0",  // H100
		"10de:2901": "10.0", // B200
		"10de:102d": "3.7",  // Tesla K80
		"10de:1340": "5.0",  // GeForce 830M
		"10de:3021": "",     // a chip whose capability is not published
		"10de:0091": "",     // GeForce 7800 GTX, which has no CUDA
		"10de:ffff": "", "1002:25a9": "", "10de:": "", "": "",
	} {
		if got := capabilityOf(id); got != want {
			t.Errorf("%q: %q, want %q", id, got, want)
		}
	}
}
