# A worker reads one job as JSON on standard input and writes one answer as JSON to
# the file that the job names, because libraries print to both streams. The forms
# are verify/engine's Job and Answer. This text is followed by that of one adapter and
# runs as "python -B -c TEXT" in the Python that the user's programs run in, 3.7 or
# newer, with nothing but the standard library; NumPy only where the engine brings it.
import array
import ctypes
import json
import math
import os
import sys
import time

BEGAN = time.time()
# With -c the current folder comes first. A program looks into its own folder there.
sys.path[:] = [entry for entry in sys.path if entry]

SCHEMA = 2


class Failure(Exception):
    """A sentence for the answer: the engine or the job is at fault, not this text."""


def load(name):
    """The module of that name. A module may stop in any way: all are one sentence."""
    try:
        return __import__(name, fromlist=["_"])
    except BaseException as e:  # SystemExit, too
        raise Failure("import %s: %s: %s" % (name, type(e).__name__, e))


def read_input(file, width, height):
    """The bytes of a picture's three planes, float32 little-endian."""
    with open(file, "rb") as f:
        raw = f.read()
    if width < 1 or height < 1 or len(raw) != width * height * 12:
        raise Failure("input %s has %d bytes, a %dx%d picture has %d" % (file, len(raw), width, height, width * height * 12))
    return raw


def floats(raw):
    """Little-endian float32 values: NumPy's where it is loaded, else an array."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        return numpy.frombuffer(raw, dtype="<f4").astype("f8")
    values = array.array("f")
    values.frombytes(raw)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def finite(raw):
    values = floats(raw)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        return bool(numpy.isfinite(values).all())
    return all(map(math.isfinite, values))


def distance(raw, first):
    """The relative L2 of two results and the largest difference of one value."""
    a, b = floats(raw), floats(first)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        d = a - b
        diff, norm, most = float((d * d).sum()), float((b * b).sum()), float(abs(d).max())
    else:
        diff = norm = most = 0.0
        for x, y in zip(a, b):
            d = x - y
            diff += d * d
            norm += y * y
            most = max(most, abs(d))
    if diff == 0:
        return 0.0, 0.0
    return math.sqrt(diff / norm) if norm else math.sqrt(diff), most


class Watch:
    """Compares every run of the first input with the first of them."""

    def __init__(self):
        self.first, self.finite = [], []
        self.diffs, self.most, self.rows = [], [], []

    def add(self, heads, rows):
        """heads and rows are lists of bytes; -1 stands for what is not finite."""
        worst, most, changed = 0.0, 0.0, 0
        for i, raw in enumerate(heads + rows):
            if len(self.first) == i:
                self.first.append(raw)
                self.finite.append(finite(raw))
            first = self.first[i]
            if i >= len(heads):
                if worst == 0 and raw != first:
                    # Values that are others, bit by bit.
                    changed += sum(raw[k:k + 4] != first[k:k + 4] for k in range(0, max(len(raw), len(first)), 4))
            elif not self.finite[i] or len(raw) != len(first) or raw != first and not finite(raw):
                worst = -1
            elif raw != first:
                d, m = distance(raw, first)
                worst = worst if worst < 0 else max(worst, d)
                most = max(most, m)
        self.diffs.append(worst)
        self.most.append(most)
        self.rows.append(changed)


class Runner:
    """The forward passes of one loaded network."""

    def __init__(self, network, job):
        self.network, self.job, self.watch, self.first = network, job, Watch(), None

    def forward(self, index, keep):
        """Runs one input. keep begins the names of the files, "" for none."""
        job = self.job
        picture = self.first
        if index > 0 or picture is None:
            picture = read_input(job["inputs"][index], job["width"], job["height"])
            if index == 0:
                self.first = picture
        results, took = self.network.run(picture)
        heads = len(job["heads"])
        if len(results) not in (heads, heads + len(job["yolos"])):
            raise Failure("the network gives %d results, not %d" % (len(results), heads))
        for shape, raw in results:
            count = 1
            for d in shape:
                count *= d
            if count * 4 != len(raw) or count < 1:
                raise Failure("a result of the shape %s has %d bytes" % (list(shape), len(raw)))
        if index == 0 and self.watch is not None:
            raws = [raw for _, raw in results]
            self.watch.add(raws[:heads], raws[heads:])
        if not keep:
            return [], took
        tensors = []
        for i, (shape, raw) in enumerate(results):
            kind, layer = ("head", job["heads"][i]) if i < heads else ("rows", job["yolos"][i - heads])
            file = os.path.join(job["out_dir"], "%s-%s-%d.f32" % (keep, kind, layer))
            with open(file, "wb") as f:
                f.write(raw)
            tensors.append({"kind": kind, "layer": layer, "shape": [int(d) for d in shape], "file": file, "input": index})
        return tensors, took

    def passes(self, answer):
        job = self.job
        count = job["warmup"] + job["runs"]
        answer["run_s"], answer["other_s"], answer["others"] = [], [], []
        for i in range(count):
            keep = "first" if i == 0 else "last" if i == count - 1 else ""
            out, took = self.forward(0, keep)
            if i == 0:
                answer["outputs"] = out
            elif keep:
                answer["last"] = out
            answer["run_s"].append(took)
        for i in range(1, len(job["inputs"])):
            out, took = self.forward(i, "other%d" % i)
            answer["other_s"].append(took)
            answer["others"] += out
        answer["repeat"], took = self.forward(0, "repeat")
        answer["other_s"].append(took)
        answer["run_diff"], answer["run_most"], answer["run_rows"] = self.watch.diffs, self.watch.most, self.watch.rows


def on_processor(engine, job, answer):
    """Runs the network once more on the processor, for a target that is another."""
    cpu = dict(job, target="cpu", backend=engine.processor)
    runner = Runner(engine.open(cpu), cpu)
    runner.watch = None
    answer["processor"], first = runner.forward(0, "processor")
    answer["processor_s"] = min(first, runner.forward(0, "")[1])


def work(adapter, job, answer):
    engine = adapter()
    answer["versions"].update(engine.versions())
    pair = "%s/%s" % (job["backend"], job["target"])
    if pair not in engine.pairs:
        raise Failure("unknown backend and target " + pair)
    if job["target"] != "cpu":
        answer["device"] = engine.device()
    if not job["inputs"]:
        return  # only asked whether everything loads
    if "device" in answer and pair not in answer["device"]["pairs"]:
        raise Failure("this %s cannot use %s" % (engine.title, pair))
    if job["warmup"] + job["runs"] < 1 or not job["heads"]:
        raise Failure("job without runs or heads")
    answer["backend"], answer["target"] = job["backend"], job["target"]
    begin = time.perf_counter()
    network = engine.open(job)
    answer["load_s"] = time.perf_counter() - begin
    runner = Runner(network, job)
    runner.passes(answer)
    answer["threads"] = engine.threads(job)
    layers = network.layers()
    if layers:
        answer.setdefault("device", {"pairs": None})["layers"] = layers
    if job["target"] != "cpu":
        on_processor(engine, job, answer)


def libraries():
    """The shared libraries of this process; None where the system lists none."""
    if sys.platform.startswith("linux"):
        found = []
        with open("/proc/self/maps", errors="surrogateescape") as f:
            for line in f:  # address perms offset dev inode path
                fields = line.split(None, 5)
                if len(fields) < 6 or "x" not in fields[1] or ".so" not in fields[5]:
                    continue
                file = fields[5].rstrip("\n")
                if file.endswith(" (deleted)"):
                    file = file[:-len(" (deleted)")]
                if file.startswith("/") and file not in found:
                    found.append(file)
        return found
    if sys.platform == "darwin":
        process = ctypes.CDLL(None)
        process._dyld_get_image_name.restype = ctypes.c_char_p
        names = (process._dyld_get_image_name(i) for i in range(process._dyld_image_count()))
        return [os.fsdecode(n) for n in names if n]
    if sys.platform == "win32":
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel.GetCurrentProcess.restype = ctypes.c_void_p
        kernel.K32EnumProcessModules.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p]
        kernel.GetModuleFileNameW.argtypes = [ctypes.c_void_p, ctypes.c_wchar_p, ctypes.c_uint32]
        modules, needed = (ctypes.c_void_p * 4096)(), ctypes.c_uint32()
        if not kernel.K32EnumProcessModules(kernel.GetCurrentProcess(), modules, ctypes.sizeof(modules), ctypes.byref(needed)):
            raise ctypes.WinError(ctypes.get_last_error())
        found, name = [], ctypes.create_unicode_buffer(32768)
        for m in modules[:needed.value // ctypes.sizeof(ctypes.c_void_p)]:
            if kernel.GetModuleFileNameW(m, name, len(name)):
                found.append(name.value)
        return found
    return None


def memory():
    """The largest resident set of this process in bytes, 0 for unknown (proc(5), VmHWM;
    getrusage(2) elsewhere, in bytes on macOS)."""
    if sys.platform.startswith("linux"):
        with open("/proc/self/status") as f:
            for line in f:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    elif sys.platform == "darwin":
        import resource
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 0


def finish(job, answer):
    """Writes the answer whole or not at all."""
    try:
        found = libraries()
        if found:
            answer["libraries"] = found
    except OSError as e:
        print("deployctl's worker: list the loaded libraries: %s" % e, file=sys.stderr)
    try:
        answer["memory_bytes"] = memory()
    except (OSError, ValueError, IndexError) as e:
        print("deployctl's worker: read its own memory: %s" % e, file=sys.stderr)
    part = job["answer_file"] + ".part"
    with open(part, "w") as f:
        json.dump(answer, f)  # ASCII; a surrogate of a file's name is an escape
    os.replace(part, job["answer_file"])


def serve(adapter):
    answer = {"schema": SCHEMA, "began": BEGAN, "versions": {"python": "%d.%d.%d" % sys.version_info[:3]}}
    job = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    for name in ("inputs", "heads", "yolos", "outputs"):
        job[name] = job.get(name) or []
    try:
        if job["schema"] != SCHEMA:
            raise Failure("job has schema %s, this worker speaks %d" % (job["schema"], SCHEMA))
        work(adapter, job, answer)
    except Failure as e:
        answer["error"] = str(e)
    except MemoryError:
        answer["error"] = "out of memory"
    except Exception as e:  # the library's own
        answer["error"] = "%s: %s" % (type(e).__name__, e)
    finish(job, answer)
