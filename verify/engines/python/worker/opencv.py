# OpenCV's dnn module (cv2.dnn). OpenCV 3.4 and 4 read Darknet's files; OpenCV 5
# reads ONNX.
import re


class OpenCV:
    title, processor = "OpenCV", "opencv"
    pairs = ["opencv/cpu", "opencv/opencl"]

    def __init__(self):
        self.cv2, self.numpy = load("cv2"), load("numpy")
        if not hasattr(self.cv2, "dnn"):
            raise Failure("cv2 of %s has no dnn module" % getattr(self.cv2, "__file__", "?"))

    def versions(self):
        return {"opencv-python": self.cv2.__version__, "numpy": self.numpy.__version__}

    def threads(self, job):
        return self.cv2.getNumThreads()

    def device(self):
        ocl, have = self.cv2.ocl, self.cv2.ocl.haveOpenCL()
        cl = {"have": have, "use": have and ocl.useOpenCL()}
        pairs = ["opencv/cpu"]
        if cl["use"]:
            d = ocl.Device.getDefault() if hasattr(ocl, "Device") else ocl.Device_getDefault()
            kind = {2: "cpu", 4: "gpu", 8: "accelerator"}.get(d.type() & 14, "other")
            cl.update(name=d.name(), vendor=d.vendorName(), version=d.version(), type=kind)
            cl["any"] = os.environ.get("OPENCV_DNN_OPENCL_ALLOW_ALL_DEVICES", "") in ("1", "True", "true", "TRUE")
            if d.name() and (kind == "gpu" or cl["any"]):
                pairs.append("opencv/opencl")
        built = {}
        for line in self.cv2.getBuildInformation().splitlines():
            name, _, value = line.strip().partition(":")
            if name in ("NVIDIA CUDA", "cuDNN", "OpenCL"):
                built[name] = value.strip()
        return {"pairs": pairs, "opencl": cl, "built": built}

    def open(self, job):
        return OpenCVNetwork(self, job)


class OpenCVNetwork:
    def __init__(self, engine, job):
        self.cv2, self.numpy, self.job = engine.cv2, engine.numpy, job
        cv2, dnn = self.cv2, self.cv2.dnn
        if job["threads"]:
            cv2.setNumThreads(job["threads"])
        if job.get("model"):
            self.net = dnn.readNetFromONNX(job["model"])
            self.names = list(job["outputs"])
        elif hasattr(dnn, "readNetFromDarknet"):
            self.net = dnn.readNetFromDarknet(job["config"], job["weights"])
            self.names = [self.head(y, h) for h, y in zip(job["heads"], job["yolos"])] + ["yolo_%d" % y for y in job["yolos"]]
        else:
            raise Failure("OpenCV %s reads no Darknet files" % cv2.__version__)
        if self.net.empty():
            raise Failure("OpenCV returned an empty network")
        self.net.setPreferableBackend(dnn.DNN_BACKEND_OPENCV)
        self.net.setPreferableTarget(dnn.DNN_TARGET_OPENCL if job["target"] == "opencl" else dnn.DNN_TARGET_CPU)

    def head(self, yolo, head):
        """The layer whose output a yolo layer reads: the importer names layers after
        their kind and their index, and puts a permutation before the yolo layer."""
        names = list(self.net.getLayerNames())
        at = names.index("yolo_%d" % yolo) - 1
        while at > 0 and names[at].startswith("permute"):
            at -= 1
        return names[at] if at >= 0 and names[at].endswith("_%d" % head) else "conv_%d" % head

    def run(self, picture):
        blob = self.numpy.frombuffer(picture, dtype="<f4").reshape(1, 3, self.job["height"], self.job["width"])
        begin = time.perf_counter()
        self.net.setInput(blob)
        outs = self.net.forward(self.names)
        took = time.perf_counter() - begin
        results = []
        for name, out in zip(self.names, outs):
            if out.dtype != self.numpy.float32:
                raise Failure("layer %s is of type %s" % (name, out.dtype))
            results.append((out.shape, self.numpy.ascontiguousarray(out).tobytes()))
        return results, took

    def layers(self):
        """Layers by target. The dump ends a layer's label with "OCV/CPU" or the like."""
        if self.job["target"] == "cpu":
            return None
        count = {}
        for label in re.findall(r'label="([^"]*)" fillcolor', self.net.dump()):
            place = re.search(r"/([A-Z0-9_]+)(?:\\n)?$", label)
            if place:
                count[place.group(1)] = count.get(place.group(1), 0) + 1
        return count


serve(OpenCV)
