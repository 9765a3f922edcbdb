package gpu

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/doctor/host"
)

// access notes the device files that programs of this user may not open: drivers
// then find no device and do not say why (Mesa, ROCm and Intel's compute runtime
// open /dev/dri/renderD*, ROCm also /dev/kfd, NVIDIA's driver its own).
func (p *probe) access(ctx context.Context) {
	for i := range p.f.GPUs {
		g := &p.f.GPUs[i]
		var files []string
		switch g.Vendor {
		case "nvidia":
			// Device files of the kernel's own show that /dev is known. nvidia-modprobe
			// makes this one when a program asks for it.
			const uvm = "/dev/nvidia-uvm"
			if e := p.h.Exists; e(ctx, "/dev/null") && e(ctx, "/dev/nvidiactl") && !e(ctx, uvm) && len(p.h.LookPath(ctx, "nvidia-modprobe")) == 0 {
				g.NoNode = uvm
			}
			// The driver's; those of a Jetson, of JetPack 6 and before; WSL's.
			files = []string{"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvmap", "/dev/nvgpu/igpu0/ctrl", "/dev/nvhost-ctrl-gpu", "/dev/dxg"}
		case "amd":
			files = []string{g.Attrs["render"], "/dev/kfd"}
		case "arm":
			files = []string{g.Attrs["render"], "/dev/mali0"}
		default:
			files = []string{g.Attrs["render"]}
		}
		if g.NoNode == "" && g.Attrs["render"] == "" && p.notPassed(ctx, g.Driver) {
			g.NoNode = "/dev/dri"
		}
		for _, file := range files {
			if file != "" && p.denied(ctx, g, file) {
				break
			}
		}
	}
}

// notPassed reports a container without the files that a kernel driver made on the host
// (DRM's documentation, "Render nodes"): its /dev has what it was started with.
func (p *probe) notPassed(ctx context.Context, driver string) bool {
	if !slices.Contains([]string{"amdgpu", "radeon", "i915", "xe"}, driver) || !p.h.Exists(ctx, "/.dockerenv") && !p.h.Exists(ctx, "/run/.containerenv") {
		return false
	}
	_, err := p.h.Stat(ctx, "/dev/dri")
	return host.IsNotExist(err)
}

func (p *probe) denied(ctx context.Context, g *facts.GPU, file string) bool {
	info, err := p.h.Stat(ctx, file)
	unreadable := errors.Is(err, fs.ErrPermission)
	if !info.Denied && !unreadable {
		return false
	}
	g.NoAccess = file
	groups := p.groups(ctx)
	for _, name := range []string{"render", "video"} { // since systemd 239, and before
		if _, ok := groups[name]; unreadable && ok && g.Group == "" && g.Vendor != "nvidia" {
			g.Group = name
		}
	}
	if info.Denied && info.Group != 0 { // 0 is root's own
		g.Group = strconv.FormatUint(uint64(info.Group), 10)
		for name, l := range groups {
			if l.number == g.Group {
				g.Group = name
			}
		}
	}
	user := p.h.Env("USER")
	g.Joined = user != "" && slices.Contains(groups[g.Group].members, user)
	return true
}

// group is a line of /etc/group (group(5)).
type group struct {
	number  string
	members []string
}

func (p *probe) groups(ctx context.Context) map[string]group {
	out := map[string]group{}
	text, err := p.h.Text(ctx, "/etc/group")
	if err != nil {
		return out
	}
	for line := range strings.SplitSeq(text, "\n") {
		if f := strings.Split(strings.TrimSpace(line), ":"); len(f) == 4 {
			out[f[0]] = group{number: f[2], members: strings.Split(f[3], ",")}
		}
	}
	return out
}
