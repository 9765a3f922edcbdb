# ExecuTorch: a program that its own tools exported, in single precision, run by its own
# runtime with XNNPACK.


class ExecuTorch:
    title, processor, pairs = "ExecuTorch", "executorch", ["executorch/cpu"]

    def __init__(self):
        self.torch = load("torch")
        self.runtime = load("executorch.runtime").Runtime.get()
        self.native = load("executorch.extension.pybindings.portable_lib")

    def versions(self):
        found = str(getattr(load("executorch.version"), "__version__", ""))
        return {"executorch": found, "libtorch": str(self.torch.__version__)}

    def threads(self, job):
        return self.native._threadpool_get_thread_count()

    def open(self, job):
        return ExecuTorchNetwork(self, job)


class ExecuTorchNetwork:
    def __init__(self, engine, job):
        self.torch, self.job = engine.torch, job
        if not engine.runtime.backend_registry.is_available("XnnpackBackend"):
            raise Failure("this ExecuTorch was built without XNNPACK")
        if job["threads"]:
            engine.native._unsafe_reset_threadpool(job["threads"])
        self.program = engine.runtime.load_program(job["model"])
        self.method = self.program.load_method("forward")

    def run(self, picture):
        shape = (1, 3, self.job["height"], self.job["width"])
        blob = self.torch.frombuffer(bytearray(picture), dtype=self.torch.float32).reshape(shape)
        begin = time.perf_counter()
        outs = self.method.execute([blob])
        took = time.perf_counter() - begin
        results = []
        for o in outs:
            if o.dtype != self.torch.float32:
                raise Failure("a result is of type %s" % o.dtype)
            o = o.contiguous()
            results.append((tuple(o.shape), ctypes.string_at(o.data_ptr(), o.numel() * 4)))
        return results, took

    def layers(self):
        return None


serve(ExecuTorch)
