# ncnn: model.param and model.bin, in single precision unless a shorter one is asked for.


class Ncnn:
    title, processor = "ncnn", "ncnn"
    pairs = ["ncnn/cpu", "ncnn/cpu_fp16", "ncnn/cpu_bf16", "ncnn/vulkan"]

    def __init__(self):
        self.ncnn, self.numpy = load("ncnn"), load("numpy")

    def versions(self):
        return {"ncnn": getattr(self.ncnn, "__version__", ""), "numpy": self.numpy.__version__}

    def threads(self, job):
        return self.used

    def device(self):
        """The GPUs that ncnn sees. llvmpipe and lavapipe are processors: they call
        themselves devices of type 3 (ncnn, gpu.h, GpuInfo.type)."""
        kinds = {0: "gpu", 1: "gpu", 2: "gpu", 3: "cpu"}
        names, types = [], []
        count = self.ncnn.get_gpu_count() if hasattr(self.ncnn, "get_gpu_count") else None
        for i in range(count or 0):
            info = self.ncnn.get_gpu_info(i)
            name = info.device_name() if hasattr(info, "device_name") else ""
            soft = any(s in name.lower() for s in ("llvmpipe", "lavapipe", "swiftshader"))
            names.append(name)
            types.append("cpu" if soft else kinds.get(info.type(), "other"))
        opt = self.ncnn.Net().opt
        pairs = ["ncnn/cpu"] + ["ncnn/cpu_" + p for p in ("fp16", "bf16") if hasattr(opt, "use_%s_storage" % p)]
        if types and types[self.ncnn.get_default_gpu_index()] == "gpu":
            pairs.append("ncnn/vulkan")
        built = {"Vulkan": "NO" if count is None else "YES"}
        return {"pairs": pairs, "vulkan": {"names": names, "types": types}, "built": built}

    def open(self, job):
        net = self.ncnn.Net()
        opt = net.opt
        # Whatever this release has of other precisions is off.
        for name in dir(opt):
            if name.startswith(("use_fp16", "use_bf16", "use_int8")):
                asked = "use_" + job["target"][4:]
                setattr(opt, name, job["target"].startswith("cpu_") and name.startswith(asked))
        opt.use_vulkan_compute = job["target"] == "vulkan"
        options = (
            ("winograd", "use_winograd_convolution"), ("packing", "use_packing_layout"), ("sgemm", "use_sgemm_convolution"),
        )
        for setting, option in options:
            if setting in job.get("settings", {}):
                setattr(opt, option, job["settings"][setting] == "on")
        if job["threads"]:
            opt.num_threads = job["threads"]
        self.used = opt.num_threads
        model = job["model"]
        for file, read in ((model, net.load_param), (os.path.splitext(model)[0] + ".bin", net.load_model)):
            code = read(file)
            if code != 0:
                raise Failure("load %s: ncnn gives the error %d" % (os.path.basename(file), code))
        return NcnnNetwork(self, net, job)


class NcnnNetwork:
    def __init__(self, engine, net, job):
        self.ncnn, self.numpy, self.net, self.job = engine.ncnn, engine.numpy, net, job

    def run(self, picture):
        blob = self.numpy.frombuffer(picture, dtype="<f4").reshape(3, self.job["height"], self.job["width"])
        outs = []
        begin = time.perf_counter()
        mat = self.ncnn.Mat(blob)
        extractor = self.net.create_extractor()
        code = extractor.input("input", mat)
        for name in self.job["outputs"]:
            if code == 0:
                code, out = extractor.extract(name)
                outs.append(out)
        took = time.perf_counter() - begin
        if code != 0:
            raise Failure("forward pass: ncnn gives the error %d" % code)
        results = []
        for name, out in zip(self.job["outputs"], outs):
            values = self.numpy.array(out)
            if values.dtype != self.numpy.float32:
                raise Failure("blob %s is of type %s" % (name, values.dtype))
            results.append(((1,) + values.shape, self.numpy.ascontiguousarray(values).tobytes()))
        return results, took

    def layers(self):
        if self.job["target"].startswith("cpu"):
            return None
        count = {}
        for layer in self.net.layers():
            place = "vulkan" if self.net.opt.use_vulkan_compute and layer.support_vulkan else "cpu"
            count[place] = count.get(place, 0) + 1
        return count


serve(Ncnn)
