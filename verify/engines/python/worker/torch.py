# PyTorch: a TorchScript module whose forward returns the heads as a tuple.


class Torch:
    title, processor = "PyTorch", "torch"
    pairs = ["torch/cpu", "torch/cpu_bf16", "torch/cuda", "torch/cuda_fp16"]

    def __init__(self):
        self.torch = load("torch")
        if not hasattr(self.torch, "jit"):
            raise Failure("torch of %s has no torch.jit" % getattr(self.torch, "__file__", "?"))

    def versions(self):
        return {"libtorch": str(self.torch.__version__)}

    def threads(self, job):
        return self.torch.get_num_threads()

    def device(self):
        """What CUDA can be used for. torch.cuda.is_available() is false without a
        driver, without a GPU, and in a build without CUDA."""
        cuda, built = self.torch.cuda, getattr(self.torch.version, "cuda", None)
        count = cuda.device_count() if cuda.is_available() else 0
        pairs = ["torch/cpu"] + (["torch/cpu_bf16"] if hasattr(self.torch, "bfloat16") else []) + (["torch/cuda", "torch/cuda_fp16"] if count else [])
        return {
            "pairs": pairs,
            "cuda": {
                "count": count,
                "names": [cuda.get_device_name(i) for i in range(count)],
                "capabilities": ["%d.%d" % cuda.get_device_capability(i) for i in range(count)],
            },
            "built": {"CUDA": "YES (%s)" % built if built else "NO"},
        }

    def open(self, job):
        return TorchNetwork(self, job)


class TorchNetwork:
    def __init__(self, engine, job):
        torch, self.torch, self.job = engine.torch, engine.torch, job
        if job["threads"]:
            torch.set_num_threads(job["threads"])
        self.place = "cpu" if job["target"].startswith("cpu") else "cuda"
        short = {"_fp16": torch.float16, "_bf16": getattr(torch, "bfloat16", None)}
        self.type = short.get(job["target"][-5:], torch.float32)
        if self.place == "cuda":
            # TensorFloat-32 has ten bits of fraction: this is single precision.
            for backend in (torch.backends.cudnn, getattr(torch.backends.cuda, "matmul", None)):
                if hasattr(backend, "allow_tf32"):
                    backend.allow_tf32 = False
        module = torch.jit.load(job["model"], map_location=self.place).eval()
        if self.type != torch.float32:
            module = module.to(self.type)
        self.count = {}
        suffix = {torch.float16: "_fp16", getattr(torch, "bfloat16", None): "_bf16"}
        for p in list(module.parameters()) + list(module.buffers()):
            kind = p.device.type + suffix.get(p.dtype, "")
            self.count[kind] = self.count.get(kind, 0) + 1
        self.module = torch.jit.freeze(module) if hasattr(torch.jit, "freeze") else module

    def run(self, picture):
        torch = self.torch
        shape = (1, 3, self.job["height"], self.job["width"])
        values = bytearray(picture)
        if hasattr(torch, "frombuffer"):
            blob = torch.frombuffer(values, dtype=torch.float32).reshape(shape)
        else:
            blob = torch.tensor(array.array("f", picture)).reshape(shape)
        with torch.no_grad():
            begin = time.perf_counter()
            moved = blob.to(self.place)
            out = self.module(moved.to(self.type))
            if not isinstance(out, tuple):
                raise Failure("the module returned no tuple")
            outs = [o.to("cpu") for o in out]  # which waits for the GPU
            took = time.perf_counter() - begin
        results = []
        for o in outs:
            if o.dtype != self.type:
                raise Failure("a result is of type %s" % o.dtype)
            o = o.float().contiguous()
            results.append((tuple(o.shape), ctypes.string_at(o.data_ptr(), o.numel() * 4)))
        return results, took

    def layers(self):
        return self.count or None


serve(Torch)
