package engine

import (
	"strings"
	"testing"
)

func TestFreeMemory(t *testing.T) {
	const about = "YOLOv3 needs about 1 GB"
	if text := freeMemory("windows", about); !strings.Contains(text, "paging file") || strings.Contains(text, "ulimit") || !strings.HasSuffix(text, about) {
		t.Error(text)
	}
	if text := freeMemory("linux", about); !strings.Contains(text, "ulimit") || !strings.HasSuffix(text, about) {
		t.Error(text)
	}
}
