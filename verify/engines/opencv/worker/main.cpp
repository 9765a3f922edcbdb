// The OpenCV worker in C++: it loads a Darknet network, or an ONNX model where
// OpenCV reads no Darknet files any more, runs it in the dnn module, and writes
// what came out. It is compiled on the machine that is proven, through CMake's
// find_package(OpenCV) or pkg-config's opencv4, with OpenCV 4.2 or newer.
#include <cstdlib>
#include <map>
#include <sstream>
#include <stdexcept>

#include <opencv2/core.hpp>
#include <opencv2/core/version.hpp>
#include <opencv2/dnn.hpp>

#include "worker.hpp"

extern "C" {
char *deployctl_device(int cuda);
char *deployctl_layers(void *net);
char *deployctl_head(void *net, const char *yolo);
int deployctl_threads(int n);
double deployctl_work_opencl(long rounds, double *flop);
}

using worker::Answer;
using worker::Job;

namespace {

// OpenCV's cv::dnn::Backend and cv::dnn::Target (dnn.hpp, 4.x and 5.x).
const std::map<std::string, int> backends = {{"opencv", 3}, {"cuda", 5}};
const std::map<std::string, int> targets = {
    {"cpu", 0}, {"opencl", 1}, {"opencl_fp16", 2}, {"cuda", 6}, {"cuda_fp16", 7}, {"cpu_fp16", 10},
};

int number(const std::map<std::string, int> &words, const char *what, const std::string &name) {
    const auto found = words.find(name);
    if (found == words.end()) throw std::runtime_error(std::string("unknown ") + what + " " + name);
    return found->second;
}

// name is the word for a number, the number itself where there is none.
std::string name(const std::map<std::string, int> &words, const std::string &n) {
    for (const auto &w : words)
        if (std::to_string(w.second) == n) return w.first;
    return n;
}

// told splits the lines of device.cpp; what OpenCV refused to tell goes to the log.
template <typename F> void told(char *text, F each) {
    std::istringstream lines(text ? text : "");
    std::free(text);
    for (std::string line; std::getline(lines, line);) {
        const size_t at = line.find(' ');
        if (at == std::string::npos) continue;
        if (line.compare(0, at, "error") == 0) fprintf(stderr, "opencv worker: ask OpenCV for its devices: %s\n", line.c_str());
        each(line.substr(0, at), line.substr(at + 1));
    }
}

// allows reads a setting as OpenCV does (modules/core/src/utils/
// configuration.private.hpp).
bool allows(const char *variable) {
    const char *v = std::getenv(variable);
    const std::string s = v ? v : "";
    return s == "1" || s == "True" || s == "true" || s == "TRUE";
}

worker::Device devices(const std::string &target) {
    worker::Device d;
    std::vector<std::string> pairs;
    told(deployctl_device(target.compare(0, 4, "cuda") == 0), [&](const std::string &key, const std::string &value) {
        d.has_opencl |= key.compare(0, 7, "opencl.") == 0;
        d.has_cuda |= key.compare(0, 5, "cuda.") == 0;
        const size_t slash = value.find('/'), colon = value.find(':');
        if (key == "pair" && slash != std::string::npos) pairs.push_back(name(backends, value.substr(0, slash)) + "/" + name(targets, value.substr(slash + 1)));
        if (key == "pairs") d.pairs = pairs, d.known = true;
        if (key == "opencl.have") d.opencl.have = value == "1";
        if (key == "opencl.use") d.opencl.use = value == "1";
        if (key == "opencl.name") d.opencl.name = value;
        if (key == "opencl.vendor") d.opencl.vendor = value;
        if (key == "opencl.version") d.opencl.version = value;
        if (key == "opencl.type") d.opencl.type = value;
        if (key == "cuda.count") d.cuda.count = std::atoi(value.c_str());
        if (key == "cuda.name") d.cuda.names.push_back(value);
        if (key == "cuda.capability") d.cuda.capabilities.push_back(value);
        if (key == "built" && colon != std::string::npos) d.built[value.substr(0, colon)] = value.substr(colon + 1);
    });
    d.opencl.any = allows("OPENCV_DNN_OPENCL_ALLOW_ALL_DEVICES");
    return d;
}

class Network {
public:
    Network(const Job &job, int backend, int target) : job(job) {
        load();
        if (net.empty()) throw std::runtime_error("load the network: OpenCV returned an empty one");
        net.setPreferableBackend(backend);
        net.setPreferableTarget(target);
        const auto fusion = job.settings.find("fusion"), winograd = job.settings.find("winograd");
        if (fusion != job.settings.end()) net.enableFusion(fusion->second == "on");
        if (winograd == job.settings.end()) return;
#if CV_VERSION_MAJOR > 4 || CV_VERSION_MINOR >= 7
        net.enableWinograd(winograd->second == "on");
#else
        throw std::runtime_error("OpenCV " CV_VERSION " has no switch for Winograd's algorithm");
#endif
    }

    worker::Pass forward(int input) {
        if (data.empty() || input != read) {
            data = worker::input(job, input);
            read = input;
        }
        const int size[] = {1, 3, job.height, job.width};
        const cv::Mat blob(4, size, CV_32F, data.data());
        std::vector<cv::Mat> mats;
        const double begin = worker::seconds();
        net.setInput(blob);
        net.forward(mats, names);
        worker::Pass pass;
        pass.seconds = worker::seconds() - begin;
        if (mats.size() != names.size())
            throw std::runtime_error("forward pass: asked for " + std::to_string(names.size()) + " layers, got " + std::to_string(mats.size()));
        for (size_t i = 0; i < mats.size(); i++) {
            const cv::Mat m = mats[i].isContinuous() ? mats[i] : mats[i].clone();
            if (m.type() != CV_32F) throw std::runtime_error("layer " + names[i] + " is not of float32");
            const bool head = i < job.heads.size();
            const float *values = m.ptr<float>();
            pass.outs.push_back({head ? "head" : "rows", head ? job.heads[i] : job.yolos[i - job.heads.size()],
                                 std::vector<int>(m.size.p, m.size.p + m.dims), std::vector<float>(values, values + m.total())});
        }
        return pass;
    }

    std::map<std::string, int> layers() {
        std::map<std::string, int> count;
        told(deployctl_layers(&net), [&](const std::string &key, const std::string &value) {
            if (key == "layer") count[value]++;
        });
        return count;
    }

private:
    void load() {
        if (!job.model.empty()) {
            const std::string model = worker::bytes(job.model);
            net = cv::dnn::readNetFromONNX(model.data(), model.size());
            for (const std::string &output : job.outputs) names.push_back(layer(output));
            if (names.size() != job.heads.size()) throw std::runtime_error("job without the names of the model's outputs");
            return;
        }
#if CV_VERSION_MAJOR < 5
        const std::string config = worker::bytes(job.config);
        bool plain = true; // of characters that are the same in every encoding
        for (const char c : job.weights) plain = plain && static_cast<unsigned char>(c) < 0x80;
#if defined(_WIN32)
        // OpenCV opens files by names in the system's own encoding.
        if (!plain) {
            const std::string weights = worker::bytes(job.weights);
            net = cv::dnn::readNetFromDarknet(config.data(), config.size(), weights.data(), weights.size());
        } else
#endif
            net = cv::dnn::readNetFromDarknet(job.config, job.weights);
        (void)plain;
        // OpenCV's Darknet importer names a layer after its kind and its index in
        // the cfg. Asking for a head by name also keeps OpenCV from fusing it away.
        for (size_t i = 0; i < job.heads.size(); i++) {
            std::string head = "conv_" + std::to_string(job.heads[i]);
            told(deployctl_head(&net, ("yolo_" + std::to_string(job.yolos[i])).c_str()), [&](const std::string &key, const std::string &value) {
                if (key == "head") head = value;
            });
            names.push_back(head);
        }
        for (const int i : job.yolos) names.push_back("yolo_" + std::to_string(i));
#else
        throw std::runtime_error("OpenCV " CV_VERSION " reads no Darknet files, and the job has no converted model");
#endif
    }

    // layer is OpenCV's name of the layer that makes an output of the model: the
    // output's own, since 4.5.5 with a beginning (modules/dnn/src/onnx/
    // onnx_importer.cpp: onnx_node_output_0!).
    std::string layer(const std::string &output) {
        std::string near;
        for (const std::string &n : net.getUnconnectedOutLayersNames()) {
            if (n == output || (n.size() > output.size() && n.compare(n.size() - output.size() - 1, std::string::npos, "!" + output) == 0)) return n;
            near += " " + n;
        }
        throw std::runtime_error("OpenCV does not know the model's output " + output + "; it has" + near);
    }

    const Job &job;
    cv::dnn::Net net;
    std::vector<std::string> names;
    std::vector<float> data;
    int read = -1;
};

// onProcessor runs the network once more on the processor. Results that are the
// same to the last bit were computed by the same code, whatever target OpenCV was
// asked for. The time is the better of two runs.
void onProcessor(const Job &job, Answer &a) {
    Network n(job, number(backends, "backend", "opencv"), number(targets, "target", "cpu"));
    const worker::Pass first = n.forward(0);
    a.processor = worker::keep(job, first, "processor", 0);
    a.processor_seconds = std::min(first.seconds, n.forward(0).seconds);
}

// DeviceMeter measures OpenCL's device where the network runs there.
class DeviceMeter {
public:
    DeviceMeter(const Job &job, Answer &answer) : answer(answer), use(job.target.compare(0, 6, "opencl") == 0) {
        for (double took; use && rounds < 1L << 20 && (took = work()) >= 0 && took < 0.002;) rounds *= 2;
    }
    void measure() {
        if (use) work();
    }

private:
    double work() {
        double flop = 0;
        const double took = deployctl_work_opencl(rounds, &flop);
        if (took > 0) answer.peak_device = std::max(answer.peak_device, flop / took / 1e9);
        return took;
    }
    Answer &answer;
    bool use;
    long rounds = 16;
};

void run(const Job &job, Answer &a) {
    const std::string library = cv::getVersionString();
    a.versions["opencv"] = library;
#if defined(_MSC_VER)
    a.versions["compiler"] = "Visual C++ " + std::to_string(_MSC_VER);
#elif defined(__clang__)
    a.versions["compiler"] = "Clang " __clang_version__;
#elif defined(__GNUC__)
    a.versions["compiler"] = "GCC " __VERSION__;
#endif
    if (library != CV_VERSION) throw std::runtime_error("OpenCV's headers are of " CV_VERSION ", and the library that was loaded is " + library);
    const int backend = number(backends, "backend", job.backend), target = number(targets, "target", job.target);
    if (target != 0) {
        a.device = devices(job.target);
        a.has_device = true;
    }
    if (job.inputs.empty()) return; // only asked whether everything loads
    if (a.has_device && a.device.known && std::find(a.device.pairs.begin(), a.device.pairs.end(), job.backend + "/" + job.target) == a.device.pairs.end())
        throw std::runtime_error("this OpenCV cannot use " + job.backend + "/" + job.target);
    a.backend = job.backend;
    a.target = job.target;
    a.threads = deployctl_threads(job.threads);

    const double begin = worker::seconds();
    Network n(job, backend, target);
    a.load = worker::seconds() - begin;
    worker::Meter meter(a);
    DeviceMeter device(job, a);
    worker::passes(job, a, [&](int input) { return n.forward(input); }, [&] {
        meter.measure();
        device.measure();
    });
    if (target == 0) return;
    a.device.layers = n.layers();
    onProcessor(job, a);
}

} // namespace

int main() { return worker::serve("opencv worker", run); }
