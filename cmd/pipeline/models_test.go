package pipeline_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/deployctl/deployctl/installers/models"
	"github.com/deployctl/deployctl/verify/darknet"
)

// TestKnownAgreesWithVerify: what is pulled is what verify calls official, and
// has the size that its network needs.
func TestKnownAgreesWithVerify(t *testing.T) {
	all, err := models.Known()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if m.Name == "coco.names" {
			text := strings.Join(darknet.COCONames(), "\n") + "\n"
			sum := sha256.Sum256([]byte(text))
			if hex.EncodeToString(sum[:]) != string(m.SHA256) || int64(len(text)) != m.Size {
				t.Errorf("verify's names are not %s", m.Name)
			}
			continue
		}
		name, ok := darknet.Official(string(m.SHA256))
		if !ok || name != m.Name {
			t.Errorf("%s: verify calls it %q", m.Name, name)
		}
		net, err := darknet.Family(m.Name, 416)
		if err != nil {
			t.Logf("%s: its size cannot be computed: %v", m.Name, err)
			continue
		}
		if size := darknet.WeightsSize(net); size != m.Size {
			t.Errorf("%s: %d bytes, its network needs %d", m.Name, m.Size, size)
		}
	}
}
