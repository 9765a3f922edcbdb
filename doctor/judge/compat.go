package judge

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-version"

	"github.com/deployctl/deployctl/doctor/facts"
	"github.com/deployctl/deployctl/recipes"
	"github.com/deployctl/deployctl/recipes/library/lang"
)

// attr judges a named detail of an instance; "" means that it holds.
func (e *evaluation) attr(i facts.Instance, key, condition string) string {
	a, err := recipes.ParseAttr(condition)
	if err != nil {
		return err.Error()
	}
	series := ""
	if of := a.SeriesOf(); of != "" {
		active, ok := e.facts.Active(of)
		if !ok {
			return lang.F("%s is not installed, so %s cannot name it", of, key)
		}
		series = recipes.Series(active.Version)
	}
	value, there := i.Attrs[key]
	if holds, err := a.Check(value, series); err == nil && holds && (there || condition == "unset") {
		return ""
	}
	wanted := condition
	if series != "" {
		wanted = "has " + series
	}
	if why, ok := strings.CutPrefix(value, "no: "); ok {
		return why // the probe's own reason
	}
	if part, ok := strings.CutPrefix(key, "build."); ok && (value == "" || strings.HasPrefix(value, "NO")) && strings.HasPrefix(wanted, "starts YES") {
		return lang.F("built without %s", strings.TrimSuffix(recipes.Display(part), " Toolkit")) // it was built with or without CUDA
	}
	if value == "false" && condition == "is true" {
		return lang.F("not %s", key)
	}
	if value == "" {
		return lang.F("%s is empty; required: %s", key, plainly(wanted))
	}
	return lang.F("%s is %s; required: %s", key, value, plainly(wanted))
}

// plainly is a condition on a detail without the words of the recipe's language.
func plainly(condition string) string {
	for _, word := range []string{"is ", "has ", "starts "} {
		condition = strings.TrimPrefix(condition, word)
	}
	return condition
}

// tested names the newest older release that was tested with the rest; "" when
// there is none.
func (e *evaluation) tested(c *recipes.CompatCheck, given map[string]string) string {
	name := c.Given[0]
	if _, ok := recipes.FindComponent(name); !ok {
		return ""
	}
	for _, v := range e.series(c.Table, name) {
		if !newer(given[name], v) {
			continue
		}
		other := maps.Clone(given)
		other[name] = v
		if _, row, err := e.tables.Choose(c.Table, other, c.Choose); err == nil && row.Basis != recipes.Expected {
			return lang.F(", or install %s %s, which was tested", recipes.Display(name), v)
		}
	}
	return ""
}

// otherRelease names the release that fits the toolkit where the one that is
// installed does not; "" for tables that do not name builds.
func (e *evaluation) otherRelease(table string, given map[string]string) string {
	switch table {
	case "libtorch-cuda":
		return e.libtorchAdvice(given["cuda"])
	case "cuda-sm":
		return e.olderCUDA(given["cuda"], given["sm"])
	}
	return ""
}

// olderCUDA names the toolkit for a card that newer ones have dropped, and keeps
// the user from updating the driver, which would drop the card too.
func (e *evaluation) olderCUDA(cuda, sm string) string {
	any, err := recipes.ParseConstraint("")
	if err != nil || e.facts.OS.Board != "" {
		return ""
	}
	v := e.cudaFor(any, true)
	if v == "" || !newer(cuda, v) {
		return ""
	}
	text := lang.F("Install CUDA Toolkit %s in place of %s: it is the newest that has code for this GPU (compute capability %s)", v, cuda, sm)
	driver, ok := e.facts.Active("nvidia-driver")
	if !ok {
		return text + "."
	}
	if branch, _, err := e.tables.Choose("driver-gpu", map[string]string{"sm": sm, "nvidia-driver": driver.Version}, "branch"); err == nil && branch != "current" {
		return text + lang.F(" and runs on NVIDIA driver %s. Keep that driver: branch %s is the last that supports this GPU.", driver.Version, branch)
	}
	return lang.F("%s and runs on this driver.", text)
}

// libtorchAdvice names the newest LibTorch with a build for a CUDA toolkit, and
// that build. PyTorch's first release of every series ends in .0.
func (e *evaluation) libtorchAdvice(cuda string) string {
	// What was published comes before what is only expected.
	for _, expected := range []bool{false, true} {
		for _, v := range e.series("libtorch-cuda", "libtorch") {
			build, row, err := e.tables.Choose("libtorch-cuda", map[string]string{"libtorch": v, "cuda": cuda}, "build")
			if err != nil || (row.Basis == recipes.Expected) != expected || e.torchLacks(v, build, BestGPU(e.facts)) {
				continue
			}
			e.advise("libtorch", v)
			return lang.F("Install LibTorch %s.0 in its %s build, which is made for CUDA %s.", recipes.Series(v), build, recipes.Series(cuda))
		}
	}
	return ""
}

// otherBuild finds that a release has a build for the toolkit here, and that the copy
// installed is the one for another major version of CUDA.
func (e *evaluation) otherBuild(table string, given map[string]string, build string) (verdict, bool) {
	torch, _ := e.facts.Active("libtorch")
	if table != "libtorch-cuda" || torch.Built.CUDA == "" || major(torch.Built.CUDA) == major(given["cuda"]) {
		return verdict{}, false
	}
	v := verdict{state: Fail, found: e.builtFor(table, given["cuda"]), where: lang.F("table %s", table)}
	sm := BestGPU(e.facts)
	switch {
	case e.brief:
	case torch.Built.Build != "" && e.torchLacks(torch.Version, build, sm) && !e.torchLacks(torch.Version, torch.Built.Build, sm):
		v.fix = lang.F("Install CUDA Toolkit %s, which the LibTorch here is built for. Its %s build has no code for this GPU (compute capability %s).", torch.Built.CUDA, build, sm)
	default:
		v.fix = lang.Join(lang.F("Install LibTorch %s in its %s build, which is made for CUDA %s.", torch.Version, build, recipes.Series(given["cuda"])), e.otherWay(table, given["cuda"]))
	}
	return v, true
}

// builtFor says for which CUDA the library here is built that a table is about, and which
// toolkit is here; "" where that says nothing.
func (e *evaluation) builtFor(table, cuda string) string {
	switch table {
	case "libtorch-cuda":
		if in, _ := e.facts.Active("libtorch"); in.Built.CUDA != "" {
			return lang.F("LibTorch %s is built for CUDA %s, and CUDA Toolkit %s is installed", in.Version, in.Built.CUDA, cuda)
		}
	case "opencv-cuda":
		if in, _ := e.facts.Active("opencv"); in.Built.CUDA != "" && major(in.Built.CUDA) != major(cuda) {
			return lang.F("OpenCV %s is built for CUDA %s, and CUDA Toolkit %s is installed", in.Version, in.Built.CUDA, cuda)
		}
	}
	return ""
}

// otherWay is what can be done about such a library instead; "" for nothing.
func (e *evaluation) otherWay(table, cuda string) string {
	if e.builtFor(table, cuda) == "" {
		return ""
	}
	switch table {
	case "libtorch-cuda":
		if in, _ := e.facts.Active("libtorch"); e.runsCUDA(in.Built.CUDA, BestGPU(e.facts), true) {
			return lang.F("Or install CUDA Toolkit %s, which the LibTorch here is built for.", in.Built.CUDA)
		}
	case "opencv-cuda":
		in, _ := e.facts.Active("opencv")
		if oldest := e.oldForCUDA(in.Version); oldest != "" {
			return lang.F("Or build OpenCV %s or newer with the CUDA Toolkit and cuDNN here.", oldest)
		}
	}
	return ""
}

// noRow is the verdict where no row of a table has what is here.
func (e *evaluation) noRow(table string, given map[string]string, none *recipes.NoRowError) verdict {
	v := verdict{state: Fail, found: cmp.Or(e.builtFor(table, given["cuda"]), none.Error()), where: lang.F("table %s", table)}
	if table == "cuda-sm" {
		v.found = lang.F("CUDA Toolkit %s has no code for this GPU (compute capability %s)", given["cuda"], given["sm"])
		for _, m := range none.Misses {
			if m.Column == "cuda" {
				v.found += lang.F(", which needs CUDA %s", m.Wanted)
			}
		}
	}
	if e.brief {
		return v
	}
	if table == "opencv-cuda" && v.found != none.Error() {
		// The toolkit that it was built with is here, too.
		in, _ := e.facts.Active("opencv")
		v.fix = e.selectCopy("cuda", func(version string) bool { return recipes.Series(version) == recipes.Series(in.Built.CUDA) })
	}
	if v.fix = cmp.Or(v.fix, e.otherRelease(table, given), e.mismatch(none)); v.fix != "" {
		v.fix = lang.Join(v.fix, e.otherWay(table, given["cuda"]))
	}
	return v
}

// cudaBeside is the CUDA toolkit that a build of a framework goes with: the one here
// where the driver and the card run it, else the one that is to be installed.
func (e *evaluation) cudaBeside() string {
	cuda, ok := e.facts.Active("cuda")
	if ok && (e.acceptsCUDA(cuda.Version) && e.runsCUDA(cuda.Version, BestGPU(e.facts), true) || BestGPU(e.facts) == "") {
		return cuda.Version
	}
	for i := range e.recipe.Requirements {
		if c := e.recipe.Requirements[i].Component; c != nil && slices.Contains(names(c), "cuda") {
			if constraint, err := recipes.ParseConstraint(c.Version); err == nil {
				return cmp.Or(e.cudaFor(constraint, true), cuda.Version)
			}
		}
	}
	return cuda.Version
}

// libc judges the C library of a Linux; false means that it does not do.
func (e *evaluation) libc(c *recipes.OSCheck) (verdict, bool) {
	l := e.facts.OS.Libc
	var wanted []string
	for _, kind := range slices.Sorted(maps.Keys(c.Libc)) {
		wanted = append(wanted, kind+" "+c.Libc[kind])
	}
	v := verdict{state: Fail, wanted: either(wanted), found: lang.F("C library %s", strings.TrimSpace(l.Kind+" "+l.Version)), where: evidence(e.facts.OS.Evidence)}
	if l.Kind == "" {
		return e.unknown("os", lang.T("which C library this is"), v.wanted), false
	}
	text, ok := c.Libc[l.Kind]
	if !ok {
		return v, false
	}
	holds, err := check(text, l.Version)
	if err != nil {
		v.state = Unknown
	}
	return v, err == nil && holds
}

// gpu wants one device that meets every part.
func (e *evaluation) gpu(c *recipes.GPUCheck) verdict {
	wanted := lang.F("a GPU by %s", either(c.Vendor))
	if c.Compute != "" {
		wanted += lang.F(", compute capability %s", c.Compute)
	}
	if c.Memory > 0 {
		wanted += lang.F(", %s of memory", c.Memory.Human())
	}
	if p, failed := e.facts.Problem("gpus"); failed && len(e.facts.GPUs) == 0 {
		return unchecked(p, wanted)
	}
	constraint, err := recipes.ParseConstraint(c.Compute)
	if err != nil {
		return verdict{state: Unknown, wanted: wanted, found: err.Error(), where: lang.F("recipe %s", e.recipe.Source)}
	}
	best := e.noGPU(c.Vendor)
	best.wanted = wanted
	for _, g := range e.facts.GPUs {
		if !slices.Contains(c.Vendor, g.Vendor) {
			continue
		}
		v := verdict{state: OK, wanted: wanted, found: cmp.Or(g.Name, lang.F("a GPU by %s", vendorName(g.Vendor))), where: evidence(g.Evidence)}
		if g.ComputeCapability != "" {
			v.found = join(v.found, lang.F("compute capability %s", g.ComputeCapability))
		}
		holds, err := constraint.Check(g.ComputeCapability)
		switch {
		case err != nil:
			v.state, v.found = Unknown, join(v.found, lang.T("its compute capability could not be determined"))
		case !holds:
			v.state = Fail
		case c.Memory > 0 && g.Memory == 0:
			v.state, v.found = Unknown, join(v.found, lang.T("its memory could not be determined"))
		case c.Memory > 0 && g.Memory < uint64(c.Memory):
			v.state, v.found = Fail, join(v.found, lang.F("%s of memory", recipes.Bytes(g.Memory).Human()))
		}
		if v.state == OK {
			return v
		}
		if best.where == "" || v.state == Unknown {
			best = v
		}
	}
	return best
}

// noGPU says that no GPU of these vendors is there, and that the recipe can do
// without where it can.
func (e *evaluation) noGPU(vendors []string) verdict {
	names := make([]string, len(vendors))
	for i, v := range vendors {
		names[i] = vendorName(v)
	}
	v := verdict{state: Fail, found: lang.F("this machine has no %s GPU", either(names))}
	if slices.Contains(vendors, "nvidia") && e.imageWithoutGPU() {
		return verdict{state: Pending, found: lang.T("no NVIDIA GPU where this container runs"), fix: e.imageStart()}
	}
	// WSL has no PCI devices: the driver's library tells the card, if it is the one of Windows.
	if driver := e.facts.Components["nvidia-driver"]; onWSL(e.facts) && slices.Contains(vendors, "nvidia") && len(driver) > 0 && driver[0].Unusable != nil {
		return verdict{state: Unknown, found: lang.T("the NVIDIA driver could not be asked for its GPUs")}
	}
	if len(e.facts.GPUs) > 0 {
		v.found += lang.F(", only %s", cmp.Or(e.facts.GPUs[0].Name, lang.F("one by %s", vendorName(e.facts.GPUs[0].Vendor))))
	}
	if slices.Contains(e.recipe.Parameters["gpu"].Choices, "cpu") {
		v.fix = lang.F("Use the CPU: deployctl doctor --recipe %s --set gpu=cpu.", e.recipe.Name)
		if e.facts.OS.Family != "darwin" { // no driver or CUDA is made for it
			v.fix += lang.T(" For the GPU, add a card, or pass one through to this virtual machine.")
		}
	}
	return v
}

// imageWithoutGPU reports a container on a machine that has no GPU at all, as where an
// image is built: its programs find one where it is started.
func (e *evaluation) imageWithoutGPU() bool {
	return slices.Contains([]string{"docker", "podman", "kubernetes"}, e.facts.OS.Container) && !onWSL(e.facts) && e.facts.OS.Board == "" &&
		!slices.ContainsFunc(e.facts.GPUs, func(g facts.GPU) bool { return computes(g.Vendor) })
}

// imageStart says how such an image gets its GPU.
func (e *evaluation) imageStart() string {
	if e.facts.OS.Container == "podman" {
		return lang.T("The image is not at fault. Start it where an NVIDIA GPU is: podman run --device nvidia.com/gpu=all IMAGE. Then run this check again there.")
	}
	// NVIDIA/nvidia-container-toolkit issues 83 and 175; docker/roadmap issue 497. In WSL,
	// Docker Desktop has WSL's kernel.
	if strings.HasSuffix(e.facts.OS.Kernel, "-linuxkit") {
		return lang.T("Docker Desktop runs its containers in a virtual machine without a GPU. On Linux, use Docker Engine with the NVIDIA Container Toolkit: docker --context default run --gpus all IMAGE. On a Mac there is no CUDA: use the CPU.")
	}
	return lang.T("The image is not at fault. Start it where an NVIDIA GPU is: docker run --gpus all IMAGE. Then run this check again there.")
}

// needlessFor is the finding that makes a component pointless here: the GPU that
// it drives is not there.
func (e *evaluation) needlessFor(name string) *Finding {
	component, ok := recipes.FindComponent(name)
	if !ok || component.GPU == "" || e.gpuFailed == nil {
		return nil
	}
	if slices.ContainsFunc(e.facts.GPUs, func(g facts.GPU) bool { return g.Vendor == component.GPU }) {
		return nil
	}
	return e.gpuFailed
}

// InstanceFits judges one instance by a component check's version, parts and
// details, with the other components as they are in f. An instance that cannot
// be judged does not fit; why then says what is wrong.
func InstanceFits(r *recipes.Recipe, c *recipes.ComponentCheck, i facts.Instance, f *facts.Facts) (ok bool, why string) {
	constraint, err := recipes.ParseConstraint(c.Version)
	if err != nil {
		return false, err.Error()
	}
	e := &evaluation{recipe: r, facts: f}
	v := e.fitsHere(i, c, constraint)
	return v.state == OK, v.found
}

// BestGPU is the compute capability of the newest NVIDIA GPU; "" when there is
// none, or none whose capability is known.
func BestGPU(f *facts.Facts) string {
	best, text := (*version.Version)(nil), ""
	for _, g := range f.GPUs {
		if g.Vendor != "nvidia" {
			continue
		}
		capability := g.ComputeCapability
		if v, err := recipes.Version(capability); err == nil && (best == nil || v.GreaterThan(best)) {
			best, text = v, capability
		}
	}
	return text
}

// compat looks a row up for what is active, and asks other components of what
// the row decides.
func (e *evaluation) compat(q *recipes.Requirement) verdict {
	c := q.Compat
	given := map[string]string{}
	var pairs []string
	wanted := lang.F("a %s release for this %s", c.Choose, strings.Join(c.Given, lang.T(" and ")))
	if len(c.Holds) > 0 {
		wanted = lang.F("%s that fits this %s", strings.Join(slices.Sorted(maps.Keys(c.Holds)), lang.T(" and ")), strings.Join(c.Given, lang.T(" and ")))
	} else if !slices.Contains(recipes.Components(), c.Choose) && c.Choose != "gocv" {
		wanted = lang.F("%s that fit one another", strings.Join(c.Given, lang.T(" and ")))
	}
	for column, name := range c.Parameters {
		given[column] = e.recipe.Setting(name)
		pairs = append(pairs, column+" "+given[column])
	}
	slices.Sort(pairs)
	for _, name := range c.Given {
		value, v, ok := e.given(name, wanted)
		if chosen := e.hostGCC(); chosen != "" && name == "gcc" && slices.Contains(c.Given, "cuda") {
			value, ok = chosen, true
		}
		if ok && name == "os" && c.Table == "cuda-driver" {
			value = e.driverOS()
		}
		if !ok && slices.Contains(c.Optional, name) {
			given[name] = "" // the table is asked without it
			continue
		}
		if !ok {
			return v
		}
		given[name] = value
		pairs = append(pairs, name+" "+value)
	}
	if other := e.loadedCUDA(c, given, pairs); other != "" {
		pairs[slices.Index(pairs, "cuda "+given["cuda"])] = "cuda " + other
		given["cuda"] = other
	}
	if v, ok := e.machine(c, given, wanted); ok {
		return v
	}
	if built := e.otherMaker(c.Table); built != "" {
		return verdict{state: Skipped, wanted: wanted, found: built}
	}
	value, row, err := e.tables.Choose(c.Table, given, c.Choose)
	var none *recipes.NoRowError
	var newer *recipes.NewerError
	switch {
	case errors.As(err, &newer):
		return verdict{state: Unknown, cause: NewerThanTable, wanted: wanted, found: newer.Error(), where: lang.F("table %s", c.Table), fix: lang.F("No table decides it. What does: %s", newer.Decides)}
	case errors.As(err, &none):
		v := e.noRow(c.Table, given, none)
		v.wanted = wanted
		return v
	case err != nil:
		return verdict{state: Unknown, wanted: wanted, found: err.Error(), where: lang.F("table %s", c.Table)}
	}
	e.chosen[c.Choose] = value
	if bad, ok := e.otherBuild(c.Table, given, value); ok {
		bad.wanted = wanted
		return bad
	}
	v := verdict{
		state: OK, wanted: wanted, found: lang.F("%s %s for %s", c.Choose, value, displayed(pairs)),
		where: lang.F("table %s, %s: %s", c.Table, row.Basis, row.Source),
	}
	if row.From != "" {
		v.where = lang.F("your table %s, %s: %s", row.From, row.Basis, row.Source)
	}
	if c.Choose == "gocv" { // a release, not a property
		v.version = value
	}
	if bad, ok := e.allHold(c, value, pairs); !ok {
		bad.wanted, bad.where = wanted, v.where
		return bad
	}
	// NVIDIA ships a JetPack's CUDA, cuDNN and driver together.
	if row.Basis == recipes.Expected && e.facts.OS.Board != "jetson" {
		v.state = Warn
		v.found = lang.F("%s: expected to work together, but in no list of tested pairs", displayed(pairs))
		v.fix = lang.F("Run deployctl verify to find out whether the pair works%s.", e.tested(c, given))
	}
	return v
}

// hostGCC is the version of the GCC that nvcc was told to call in place of the
// first one on PATH; "" where it was not told.
func (e *evaluation) hostGCC() string {
	// A compiler whose name has no version was asked for it.
	for _, name := range []string{"g++", "gcc"} {
		for _, i := range e.facts.Components[name] {
			if _, err := recipes.Version(i.Version); err == nil && (slices.Contains(i.Via, "CUDAHOSTCXX") || slices.Contains(i.Via, "NVCC_CCBIN")) {
				return i.Version
			}
		}
	}
	toolkit, _ := e.facts.Active("cuda")
	return toolkit.Makes.Host
}

// otherMaker says that a table is about its maker's builds and the copy here is another
// one, made for the CUDA that it was made with: NVIDIA builds PyTorch and ONNX Runtime for
// each JetPack and for its own container images (2.5.0a0+872d972e41.nv24.08).
func (e *evaluation) otherMaker(table string) string {
	name, ok := map[string]string{"libtorch-cuda": "libtorch", "onnxruntime-cuda": "onnxruntime"}[table]
	if !ok {
		return ""
	}
	i, _ := e.facts.Active(name)
	if e.facts.OS.Board == "jetson" || i.Built.Build == ownBuild {
		return lang.F("the table %s is about its maker's builds; this one is another", table)
	}
	return ""
}

// ownBuild is the build of a copy that is none of its maker's.
const ownBuild = "own"

// unknownCard is a card of NVIDIA whose compute capability is not known: nothing is
// proposed for it. Its driver tells it, once it runs.
func (e *evaluation) unknownCard(g facts.GPU, wanted string) verdict {
	name := cmp.Or(g.Name, lang.T("the NVIDIA GPU"))
	if g.Name == "" && g.ID != "" {
		name = lang.F("the NVIDIA GPU %s, which this deployctl does not know,", g.ID)
	}
	v := verdict{state: Unknown, wanted: wanted, found: lang.F("the compute capability of %s could not be determined", name), where: evidence(g.Evidence), fix: e.askWindows()}
	if v.fix == "" && len(e.facts.Components["nvidia-driver"]) == 0 && e.facts.OS.Board == "" && !e.facts.FromText() {
		v.fix = lang.T("Install the newest NVIDIA driver and restart. nvidia-smi then tells the compute capability of the card, by which CUDA is chosen.")
	}
	return v
}

// given gives what a column of a table is on this host. Where false comes back,
// the verdict says why it cannot be told.
func (e *evaluation) given(name, wanted string) (string, verdict, bool) {
	switch name {
	case "os":
		if e.facts.OS.Family == "" {
			return "", e.unknown("os", lang.T("which operating system this is"), wanted), false
		}
		return e.facts.OS.Family, verdict{}, true
	case "sm":
		if sm := BestGPU(e.facts); sm != "" {
			return sm, verdict{}, true
		}
		if p, failed := e.facts.Problem("gpus"); failed {
			return "", unchecked(p, wanted), false
		}
		for _, g := range e.facts.GPUs {
			if g.Vendor == "nvidia" {
				return "", e.unknownCard(g, wanted), false
			}
		}
		return "", verdict{state: Skipped, wanted: wanted, found: lang.T("no NVIDIA GPU")}, false
	}
	if name == "ubuntu" {
		id, version := e.facts.OS.Release()
		switch {
		case e.facts.OS.Family == "":
			return "", e.unknown("os", lang.T("which operating system this is"), wanted), false
		case id != "ubuntu" || version == "":
			return "", verdict{state: Skipped, wanted: wanted, found: lang.F("this is %s, not a release of Ubuntu", systemName(e.facts.OS))}, false
		}
		return version, verdict{}, true
	}
	if name == "nvidia-driver" && e.facts.OS.Board == "jetson" {
		return "", verdict{state: Skipped, wanted: wanted, found: lang.T("the driver of a Jetson is part of JetPack; its versions are not those of desktop drivers")}, false
	}
	if d := e.done[name]; d != nil && d.Severity == recipes.Required && (d.State == Fail || d.State == Unknown || d.State == Pending) {
		return "", waitingFor(d, wanted), false
	}
	i, ok := e.facts.Active(name)
	if !ok {
		if p, failed := e.facts.Problem(name); failed {
			return "", unchecked(p, wanted), false
		}
		if cause := e.needlessFor(name); cause != nil {
			return "", waitingFor(cause, wanted), false
		}
		return "", verdict{state: Fail, wanted: wanted, found: lang.F("%s is not installed", recipes.Display(name))}, false
	}
	if _, err := recipes.Version(i.Version); err != nil {
		return "", verdict{state: Unknown, wanted: wanted, found: lang.F("the version of %s could not be determined (found %q)", name, i.Version), where: i.Path, fix: e.askWindows()}, false
	}
	return i.Version, verdict{}, true
}

// askWindows says how the driver and the card of a WSL without nvidia-smi are told; ""
// elsewhere.
func (e *evaluation) askWindows() string {
	unnamed := slices.ContainsFunc(e.facts.GPUs, func(g facts.GPU) bool { return g.Vendor == "nvidia" && g.Attrs["bus"] == "windows" && g.Name == "" })
	if !unnamed || DriverHost(e.facts) != "wsl" {
		return ""
	}
	return lang.T("Run nvidia-smi on Windows, which names the driver and the card. This WSL has no nvidia-smi in /usr/lib/wsl/lib; CUDA programs do not need it.")
}

// waitingFor is the verdict on what cannot be checked before another failure is
// fixed.
func waitingFor(cause *Finding, wanted string) verdict {
	return verdict{state: Skipped, cause: Waiting, after: cause.ID, wanted: wanted, found: lang.F("not checked: waiting for %s (%s)", cause.Title, cause.ID)}
}

// allHold asks other components of what a row decides; the verdict is that of the first
// that does not fit. ONNX Runtime may load another copy than the one that builds use.
func (e *evaluation) allHold(c *recipes.CompatCheck, value string, pairs []string) (verdict, bool) {
	for _, name := range slices.Sorted(maps.Keys(c.Holds)) {
		bad, ok := e.holds(name, c.Holds[name], value, pairs)
		if !ok && (c.Table != "onnxruntime-cuda" || !e.loaderHas(name, c.Holds[name], value) && !e.linkedWith(name)) {
			return bad, false
		}
	}
	return verdict{}, true
}

// holds asks a component of the value that a row decided.
func (e *evaluation) holds(name, relation, value string, pairs []string) (verdict, bool) {
	constraint, err := recipes.Relate(relation, value)
	if err != nil {
		return verdict{state: Unknown, found: err.Error()}, false
	}
	found, v, ok := e.given(name, "")
	if !ok {
		return v, false
	}
	if holds, err := constraint.Check(found); err == nil && holds {
		return verdict{}, true
	}
	return verdict{
		state: Fail, found: lang.F("%s %s is installed; %s needs %s", recipes.Display(name), found, displayed(pairs), constraint),
		fix: cmp.Or(
			e.selectCopy(name, func(v string) bool { ok, err := constraint.Check(v); return err == nil && ok }),
			e.update(name, constraint),
		),
	}, false
}

// loadedCUDA is a CUDA beside the one that builds use whose libraries the loader finds, and
// with which the ONNX Runtime here and its cuDNN fit one another where they do not fit the
// first: a program that is built already loads the CUDA that it was linked with. "" for none.
func (e *evaluation) loadedCUDA(c *recipes.CompatCheck, given map[string]string, pairs []string) string {
	runtime, ok := e.facts.Active("onnxruntime")
	if c.Table != "onnxruntime-cuda" || !ok || len(runtime.Needs) > 0 {
		return ""
	}
	fits := func(cuda string) bool {
		asked := maps.Clone(given)
		asked["cuda"] = cuda
		value, _, err := e.tables.Choose(c.Table, asked, c.Choose)
		if err != nil {
			return false
		}
		_, ok := e.allHold(c, value, pairs)
		return ok
	}
	if fits(given["cuda"]) {
		return ""
	}
	for _, i := range e.facts.Components["cuda-runtime"] {
		built := major(runtime.Built.CUDA)
		found := slices.ContainsFunc([]string{"ldconfig", "LD_LIBRARY_PATH", "dll"}, func(via string) bool { return slices.Contains(i.Via, via) })
		if found && i.Unusable == nil && major(i.Version) != major(given["cuda"]) && (built <= 0 || built == major(i.Version)) && fits(i.Version) {
			return i.Version
		}
	}
	return ""
}

// linkedWith reports whether the ONNX Runtime here was linked with another major version
// of cuDNN than the published builds, as one that somebody built, and the loader finds it.
func (e *evaluation) linkedWith(name string) bool {
	runtime, ok := e.facts.Active("onnxruntime")
	return ok && name == "cudnn" && runtime.Built.CuDNN != "" && e.loaderHas(name, "major", runtime.Built.CuDNN)
}

// loaderHas reports whether the loader of Linux finds a copy that fits, whichever is the
// one that builds use: cuDNN 8 and 9 have names of their own, and a program that is built
// already loads the one that it was linked with.
func (e *evaluation) loaderHas(name, relation, value string) bool {
	constraint, err := recipes.Relate(relation, value)
	if err != nil || e.facts.OS.Family != "linux" {
		return false
	}
	return slices.ContainsFunc(e.facts.Components[name], func(i facts.Instance) bool {
		ok, err := constraint.Check(i.Version)
		return err == nil && ok && i.Unusable == nil && i.HasPart("shared") && (slices.Contains(i.Via, "ldconfig") || slices.Contains(i.Via, "LD_LIBRARY_PATH"))
	})
}

// displayed writes what decided a row ("onnxruntime 1.20.1", "os windows") as its
// vendors do.
func displayed(pairs []string) string {
	var out []string
	system := ""
	for _, pair := range pairs {
		name, value, _ := strings.Cut(pair, " ")
		if name == "os" {
			system = lang.F(" on %s", systemNames([]string{value}))
			continue
		}
		if name == "sm" {
			name = lang.T("compute capability")
		}
		if name == "visual-studio" { // whose releases have years
			out = append(out, recipes.Versioned(name, value))
			continue
		}
		out = append(out, recipes.Display(name)+" "+value)
	}
	if len(out) > 0 {
		out[0] += system
	}
	return strings.Join(out, lang.T(" with "))
}

// hostCompiler says how to give a CUDA toolkit a compiler that it supports.
func (e *evaluation) hostCompiler(column string, limit Limit, found string) string {
	if limit.candidate {
		return lang.T("Install CUDA Toolkit 8.0.61, the last release of 8.0, in place of this release candidate: it takes each update of Visual Studio 2015.")
	}
	if other := e.selectCopy(column, func(v string) bool { ok, err := limit.Accepts.Check(v); return err == nil && ok }); other != "" {
		return other
	}
	if column != "msvc" {
		return lang.F("Install %s %s beside this one%s and give it to nvcc (-DCMAKE_CUDA_HOST_COMPILER, or -ccbin), or install a CUDA toolkit that supports %s %d.",
			recipes.Display(column), limit.Accepts, e.compilerPackages(column, limit.newest), recipes.Display(column), major(found))
	}
	newest := fmt.Sprintf("14.%02d", limit.newest-1900)
	return lang.F("In the Visual Studio Installer, add %s and build with -T %s; or install a CUDA toolkit that supports MSVC %s.", msvcName(newest), toolsetFlag(limit.newest-1900), recipes.Series(found))
}

// olderCompiler says how to give a CUDA toolkit a GCC or Clang that a table has for it;
// "" where that is not what misses.
func (e *evaluation) olderCompiler(none *recipes.NoRowError, m recipes.Miss) string {
	column := strings.TrimPrefix(none.Table, "cuda-")
	if m.Column != column || column != "gcc" && column != "clang" || len(none.Misses) > 1 {
		return ""
	}
	accepts, err := recipes.ParseConstraint(m.Wanted)
	newest := major(none.Nearest.Then[column+"_max"])
	// An older one than the toolkit's oldest is another matter.
	if err != nil || newest == 0 || major(m.Found) < newest {
		return ""
	}
	return e.hostCompiler(column, Limit{Column: column, Accepts: accepts, newest: newest}, m.Found)
}

// toolsetFlag is what CMake's -T says for toolset 14.minor: the family, and the
// release where the family has several (CMAKE_GENERATOR_TOOLSET).
func toolsetFlag(minor int) string {
	switch {
	case minor < 10:
		return "v140"
	case minor < 20:
		return "v141"
	case minor < 30:
		return "v142"
	case minor >= 50:
		return "v145"
	}
	return fmt.Sprintf("v143,version=14.%d", minor)
}

// compilerPackages names what a distribution calls an older GCC; "" where it has
// none, or is not known.
func (e *evaluation) compilerPackages(column string, newest int) string {
	if column != "gcc" || newest == 0 {
		return ""
	}
	own := major(recipes.Packaged(e.facts.OS.Release())["gcc"])
	older := recipes.OlderGCC(e.facts.OS.Release())
	switch i := slices.IndexFunc(older, func(n int) bool { return n <= newest }); {
	case own > 0 && own <= newest: // the distribution's own compiler
	case i >= 0:
		return lang.F(" (packages gcc-%d and g++-%d)", older[i], older[i])
	case len(older) > 0: // it has none as old as that
	case onOS([]string{"debian"}, e.facts.OS):
		return lang.F(" (packages gcc-%d and g++-%d)", newest, newest)
	case onOS([]string{"opensuse", "suse"}, e.facts.OS):
		return lang.F(" (packages gcc%d and gcc%d-c++)", newest, newest)
	}
	return ""
}

// Limit is what an installed CUDA toolkit itself says of a host compiler, read
// from its include/crt/host_config.h. It counts before any table.
type Limit struct {
	// Column is the component the limit is on: msvc, gcc or clang.
	Column string
	// Accepts is what the toolkit compiles with.
	Accepts recipes.Constraint
	Text    string
	newest  int // of MSVC, the last _MSC_VER; of the others the last major version
	// candidate: the toolkit is a release candidate that refuses what its release takes.
	candidate bool
}

// HostLimit reads the limit that a CUDA toolkit's attributes state: gcc_max and
// clang_max are major versions, msc_ver_min and msc_ver_max are values of
// _MSC_VER (1910 to 1949), which is toolset 14.10 to 14.49.
func HostLimit(cuda facts.Instance, column string) (Limit, bool) {
	limit := Limit{Column: column}
	number := func(key string) int {
		n, err := strconv.Atoi(strings.TrimSpace(cuda.Attrs[key]))
		if err != nil {
			return 0
		}
		return n
	}
	var text string
	switch column {
	case "gcc", "clang":
		most := number(column + "_max")
		if most <= 0 {
			return limit, false
		}
		text = fmt.Sprintf("< %d", most+1)
		limit.Text, limit.newest = lang.F("%s up to %d", recipes.Display(column), most), most
	case "msvc":
		low, high := number("msc_ver_min"), number("msc_ver_max")
		// 1900 is Visual Studio 2015, the first whose toolset is 14.0.
		if low < 1200 || high < 1900 || high < low {
			return limit, false
		}
		text = fmt.Sprintf("< 14.%02d", high-1900+1)
		if low >= 1900 {
			text = fmt.Sprintf(">= 14.%02d, %s", low-1900, text)
		}
		limit.Text, limit.newest = lang.F("_MSC_VER %d to %d", low, high), high
		if n := number("msc_2015_below"); n > 0 {
			text += fmt.Sprintf(", < 14.0.%d", n)
			limit.candidate = true
			limit.Text = lang.F("Visual Studio 2015 before build %d of its compiler only", n)
		}
	default:
		return limit, false
	}
	c, err := recipes.ParseConstraint(text)
	if err != nil {
		return limit, false
	}
	limit.Accepts = c
	return limit, true
}

// builtWith judges an OpenCV that was built with the CUDA and cuDNN that are here:
// it compiles with them, whatever the table says of the sources as released.
// Distributions patch them (Arch Linux built 4.11 with CUDA 12.9).
func (e *evaluation) builtWith(given map[string]string, wanted string) (verdict, bool) {
	opencv, ok := e.facts.Active("opencv")
	if !ok || opencv.Built.CUDA == "" || recipes.Series(opencv.Built.CUDA) != recipes.Series(given["cuda"]) || opencv.Built.CuDNN == "" || major(opencv.Built.CuDNN) != major(given["cudnn"]) {
		return verdict{}, false
	}
	return verdict{
		state: OK, wanted: wanted, where: lang.F("build information of %s", opencv.Path),
		found: lang.F("OpenCV %s was built with CUDA %s and cuDNN %s", opencv.Version, opencv.Built.CUDA, opencv.Built.CuDNN),
	}, true
}

// machine judges by what the installed toolkit says of itself; false means that
// it says nothing and the table is asked.
func (e *evaluation) machine(c *recipes.CompatCheck, given map[string]string, wanted string) (verdict, bool) {
	if c.Table == "opencv-cuda" {
		return e.builtWith(given, wanted)
	}
	column, ok := strings.CutPrefix(c.Table, "cuda-")
	toolkit, active := e.facts.Active("cuda")
	if !ok || !active || given[column] == "" {
		return verdict{}, false
	}
	limit, ok := HostLimit(toolkit, column)
	if !ok {
		return verdict{}, false
	}
	v := verdict{
		state: OK, wanted: wanted, where: strings.TrimSuffix(toolkit.Path, "/") + " include/crt/host_config.h",
		found: lang.F("%s %s; CUDA Toolkit %s accepts %s", recipes.Display(column), given[column], toolkit.Version, limit.Text),
	}
	holds, err := limit.Accepts.Check(given[column])
	switch {
	case err != nil:
		v.state = Unknown
	case !holds:
		v.state = Fail
		v.fix = e.hostCompiler(column, limit, given[column])
	}
	return v, true
}
