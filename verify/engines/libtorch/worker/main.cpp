// The LibTorch worker: it loads a TorchScript module whose forward returns the raw
// heads as a tuple, runs it, and writes what came out. It is compiled on the machine
// that is proven, with LibTorch 1.8 or newer.
#include <sstream>
#include <stdexcept>

#include <ATen/Parallel.h>
#include <torch/cuda.h>
#include <torch/script.h>
#include <torch/version.h>

#include "worker.hpp"

using worker::Answer;
using worker::Job;

namespace {

class Network {
public:
    Network(const Job &job, const std::string &target) : job(job), half(target == "cuda_fp16"), device(target == "cpu" ? torch::kCPU : torch::kCUDA) {
        module = load();
        module.eval();
        if (half) module.to(torch::kHalf);
        module.to(device);
#if TORCH_VERSION_MAJOR > 1 || TORCH_VERSION_MINOR >= 9
        module = torch::jit::freeze(module); // weights are constants then, which LibTorch arranges once
#endif
    }

    worker::Pass forward(int input) {
        if (input != read) {
            data = worker::input(job, input);
            read = input;
        }
        torch::NoGradGuard none;
        const auto cpu = torch::from_blob(data.data(), {1, 3, job.height, job.width}, torch::kFloat);
        worker::Pass pass;
        std::vector<torch::Tensor> heads;
        const double begin = worker::seconds();
        const auto result = module.forward({cpu.to(device, half ? torch::kHalf : torch::kFloat)});
        if (!result.isTuple()) throw std::runtime_error("the module returned no tuple");
        const auto tuple = result.toTuple();
        for (const auto &v : tuple->elements()) {
            const torch::Tensor t = v.toTensor();
            ran[!t.is_cuda() ? "cpu" : t.scalar_type() == torch::kHalf ? "cuda_fp16" : "cuda"]++;
            heads.push_back(t.to(torch::kCPU, torch::kFloat).contiguous()); // which waits for a GPU
        }
        pass.seconds = worker::seconds() - begin;
        if (heads.size() != job.heads.size())
            throw std::runtime_error("the module returned " + std::to_string(heads.size()) + " tensors, not " + std::to_string(job.heads.size()));
        for (size_t i = 0; i < heads.size(); i++) {
            const float *values = heads[i].data_ptr<float>();
            std::vector<int> shape;
            for (const int64_t d : heads[i].sizes()) shape.push_back(int(d));
            pass.outs.push_back({"head", job.heads[i], shape, std::vector<float>(values, values + heads[i].numel())});
        }
        return pass;
    }

    // ran counts the heads by where they were computed.
    std::map<std::string, int> ran;

private:
    torch::jit::Module load() {
#if defined(_WIN32)
        // LibTorch opens files by names in the system's own encoding.
        for (const char c : job.model) {
            if (static_cast<unsigned char>(c) < 0x80) continue;
            std::istringstream stream(worker::bytes(job.model));
            return torch::jit::load(stream);
        }
#endif
        return torch::jit::load(job.model);
    }

    const Job &job;
    bool half;
    torch::Device device;
    torch::jit::Module module;
    std::vector<float> data;
    int read = -1;
};

void run(const Job &job, Answer &a) {
    a.versions["libtorch"] = TORCH_VERSION;
#if defined(_MSC_VER)
    a.versions["compiler"] = "Visual C++ " + std::to_string(_MSC_VER);
#elif defined(__clang__)
    a.versions["compiler"] = "Clang " __clang_version__;
#elif defined(__GNUC__)
    a.versions["compiler"] = "GCC " __VERSION__;
#endif
    if (job.backend != "libtorch" || (job.target != "cpu" && job.target != "cuda" && job.target != "cuda_fp16"))
        throw std::runtime_error("unknown backend and target " + job.backend + "/" + job.target);
    a.has_device = true;
    a.device.known = true;
    a.device.pairs = {"libtorch/cpu"};
    if (job.target != "cpu") {
        a.device.has_cuda = true;
        a.device.cuda.count = int(torch::cuda::device_count());
        if (torch::cuda::is_available()) {
            a.device.pairs.push_back("libtorch/cuda");
            a.device.pairs.push_back("libtorch/cuda_fp16");
        } else if (!job.inputs.empty()) {
            throw std::runtime_error("LibTorch finds no CUDA device");
        }
        // The limits are those of float32: cuDNN multiplies with fewer bits otherwise.
        at::globalContext().setAllowTF32CuDNN(false);
        at::globalContext().setAllowTF32CuBLAS(false);
    }
    if (job.inputs.empty()) return; // only asked whether everything loads
    a.backend = job.backend;
    a.target = job.target;
    if (job.threads > 0) at::set_num_threads(job.threads);
    a.threads = at::get_num_threads();

    const double begin = worker::seconds();
    Network n(job, job.target);
    a.load = worker::seconds() - begin;
    worker::Meter meter(a);
    worker::passes(job, a, [&](int input) { return n.forward(input); }, [&] { meter.measure(); });
    a.device.layers = n.ran;
    if (job.target == "cpu") return;
    Network processor(job, "cpu");
    const worker::Pass first = processor.forward(0);
    a.processor = worker::keep(job, first, "processor", 0);
    a.processor_seconds = std::min(first.seconds, processor.forward(0).seconds);
}

} // namespace

int main() {
    return worker::serve("libtorch worker", [](const Job &job, Answer &answer) {
        try {
            run(job, answer);
        } catch (const c10::Error &e) {
            throw std::runtime_error(e.what_without_backtrace());
        }
    });
}
