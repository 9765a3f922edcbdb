# MNN: a file that its own converter made, in single precision unless half is asked for.


class Mnn:
    title, processor, pairs = "MNN", "mnn", ["mnn/cpu", "mnn/cpu_fp16"]

    def __init__(self):
        self.mnn, self.numpy = load("MNN"), load("numpy")

    def versions(self):
        return {"mnn": self.mnn.version() if hasattr(self.mnn, "version") else "", "numpy": self.numpy.__version__}

    def threads(self, job):
        return job["threads"]

    def device(self):
        return {"pairs": self.pairs}

    def open(self, job):
        return MnnNetwork(self, job)


class MnnNetwork:
    def __init__(self, engine, job):
        self.mnn, self.numpy, self.job = engine.mnn, engine.numpy, job
        # By default MNN's Winograd uses tiles so large that its results are off by 2e-4:
        # up to level 2 they are not (HintMode 3, WINOGRAD_MEMORY_LEVEL).
        self.hints = ((3, 2),)
        mnn, self.shape = self.mnn, (1, 3, job["height"], job["width"])
        self.interpreter = mnn.Interpreter(job["model"])
        for hint, value in self.hints if hasattr(self.interpreter, "setSessionHint") else ():
            self.interpreter.setSessionHint(hint, value)
        config = {"backend": "CPU", "precision": "low" if job["target"] == "cpu_fp16" else "high"}
        if job["threads"]:
            config["numThread"] = job["threads"]
        self.session = self.interpreter.createSession(config)
        self.input = self.interpreter.getSessionInput(self.session, "input")
        if self.input is None:
            raise Failure("load %s: it has no input of that name" % os.path.basename(job["model"]))
        self.interpreter.resizeTensor(self.input, self.shape)
        self.interpreter.resizeSession(self.session)

    def tensor(self, shape, values):
        return self.mnn.Tensor(shape, self.mnn.Halide_Type_Float, values, self.mnn.Tensor_DimensionType_Caffe)

    def run(self, picture):
        values = self.numpy.frombuffer(picture, dtype="<f4").reshape(self.shape)
        outs = []
        begin = time.perf_counter()
        self.input.copyFrom(self.tensor(self.shape, values))
        self.interpreter.runSession(self.session)
        for name in self.job["outputs"]:
            out = self.interpreter.getSessionOutput(self.session, name)
            if out is None:
                raise Failure("the network has no output " + name)
            if out.getDataType() != self.mnn.Halide_Type_Float:
                raise Failure("the output %s is not of single precision" % name)
            shape = tuple(out.getShape())
            host = self.tensor(shape, self.numpy.zeros(shape, dtype=self.numpy.float32))
            out.copyToHostTensor(host)
            outs.append((shape, host))
        took = time.perf_counter() - begin
        results = []
        for shape, host in outs:
            data = host.getNumpyData() if hasattr(host, "getNumpyData") else host.getData()
            data = self.numpy.asarray(data, dtype=self.numpy.float32).reshape(shape)
            results.append((shape, self.numpy.ascontiguousarray(data).tobytes()))
        return results, took

    def layers(self):
        return None


serve(Mnn)
