#include <cstdlib>
#include <cstring>
#include <exception>
#include <sstream>
#include <string>

#include <opencv2/core/cuda.hpp>
#include <opencv2/core/ocl.hpp>
#include <opencv2/core/utility.hpp>
#include <opencv2/dnn.hpp>

// Each function returns lines of "name value" in memory of malloc, and says
// "error TEXT" for what OpenCV refused to tell.

static char *lines(const std::ostringstream &out) { return strdup(out.str().c_str()); }

static std::string flat(std::string s) {
    for (char &c : s) {
        if (c == '\n' || c == '\r') c = ' ';
    }
    return s;
}

template <typename F> static void ask(std::ostringstream &out, F f) {
    try {
        f();
    } catch (const std::exception &e) {
        out << "error " << flat(e.what()) << "\n";
    }
}

static const char *kind(int type) {
    switch (type) {
    case cv::ocl::Device::TYPE_GPU:
    case cv::ocl::Device::TYPE_DGPU:
    case cv::ocl::Device::TYPE_IGPU: return "gpu";
    case cv::ocl::Device::TYPE_CPU: return "cpu";
    case cv::ocl::Device::TYPE_ACCELERATOR: return "accelerator";
    }
    return "other";
}

// deployctl_device says what this OpenCV can run networks on.
extern "C" char *deployctl_device(int cuda) {
    std::ostringstream out;
    ask(out, [&] {
        for (const auto &pair : cv::dnn::getAvailableBackends()) out << "pair " << int(pair.first) << "/" << int(pair.second) << "\n";
        out << "pairs known\n";
    });
    ask(out, [&] {
        const bool have = cv::ocl::haveOpenCL();
        const bool use = have && cv::ocl::useOpenCL();
        out << "opencl.have " << have << "\nopencl.use " << use << "\n";
        if (!use) return;
        const cv::ocl::Device &d = cv::ocl::Device::getDefault();
        if (d.ptr() == nullptr) return;
        out << "opencl.name " << flat(d.name()) << "\nopencl.vendor " << flat(d.vendorName())
            << "\nopencl.version " << flat(d.version()) << "\nopencl.type " << kind(d.type()) << "\n";
    });
    if (cuda) {
        ask(out, [&] {
            const int n = cv::cuda::getCudaEnabledDeviceCount();
            out << "cuda.count " << n << "\n";
            for (int i = 0; i < n; i++) {
                const cv::cuda::DeviceInfo d(i);
                out << "cuda.name " << flat(d.name()) << "\ncuda.capability " << d.majorVersion() << "." << d.minorVersion() << "\n";
            }
        });
    }
    // "    NVIDIA CUDA:    YES (ver 12.4, CUFFT CUBLAS)"
    ask(out, [&] {
        std::istringstream info(cv::getBuildInformation());
        for (std::string line; std::getline(info, line);) {
            for (const char *name : {"NVIDIA CUDA:", "cuDNN:", "OpenCL:"}) {
                const size_t at = line.find_first_not_of(' ');
                if (at == std::string::npos || line.compare(at, strlen(name), name) != 0) continue;
                const size_t value = line.find_first_not_of(' ', at + strlen(name));
                if (value != std::string::npos) out << "built " << name << line.substr(value) << "\n";
            }
        }
    });
    return lines(out);
}

// deployctl_head names the layer whose output a yolo layer reads: the last of
// the convolution, its batch normalization and its activation, which are layers
// of their own in OpenCV (modules/dnn/src/darknet/darknet_io.cpp). The
// permutation before a yolo layer only reorders it.
extern "C" char *deployctl_head(void *net, const char *yolo) {
    std::ostringstream out;
    ask(out, [&] {
        cv::dnn::Net &n = *static_cast<cv::dnn::Net *>(net);
        for (int id = n.getLayerId(yolo); id > 0;) {
            const auto inputs = n.getLayerInputs(id);
            if (inputs.empty()) return;
            if (inputs[0]->type != "Permute") {
                out << "head " << flat(inputs[0]->name) << "\n";
                return;
            }
            id = n.getLayerId(inputs[0]->name);
        }
    });
    return lines(out);
}

// deployctl_layers counts the layers of a network by the target that OpenCV
// gave them: Net::dump() ends a layer's label with "OCV/CPU" or the like.
extern "C" char *deployctl_layers(void *net) {
    std::ostringstream out;
    ask(out, [&] {
        std::istringstream dump(static_cast<cv::dnn::Net *>(net)->dump());
        for (std::string line; std::getline(dump, line);) {
            if (line.find("[label=\"") == std::string::npos) continue;
            const size_t slash = line.rfind('/', line.find("\" fillcolor"));
            if (slash == std::string::npos) continue;
            out << "layer " << line.substr(slash + 1, line.find_first_of("\\\" ", slash) - slash - 1) << "\n";
        }
    });
    return lines(out);
}
