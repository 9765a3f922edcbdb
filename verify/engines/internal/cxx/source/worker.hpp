// What all workers in C++ share: reading a job, writing an answer, comparing runs,
// listing loaded files, measuring the machine. The forms are verify/engine's Job
// and Answer; verify/engines/internal/worker/source has the same in Go. C++11 and
// the standard library only.
#ifndef DEPLOYCTL_WORKER_HPP
#define DEPLOYCTL_WORKER_HPP

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace worker {

struct Job {
    int schema = 0;
    std::string config, weights, model;
    std::vector<std::string> outputs, inputs;
    int width = 0, height = 0;
    std::vector<int> heads, yolos;
    std::string out_dir, answer_file, backend, target;
    int threads = 0, warmup = 0, runs = 0;
    std::map<std::string, std::string> settings;
};

struct OpenCL {
    bool have = false, use = false, any = false;
    std::string name, vendor, version, type;
};

struct CUDA {
    int count = 0;
    std::vector<std::string> names, capabilities;
};

struct Device {
    bool known = false; // whether pairs is
    std::vector<std::string> pairs;
    bool has_opencl = false, has_cuda = false;
    OpenCL opencl;
    CUDA cuda;
    std::map<std::string, std::string> built;
    std::map<std::string, int> layers;
};

struct Tensor {
    std::string kind;
    int layer;
    std::vector<int> shape;
    std::string file;
    int input;
};

struct Answer {
    std::map<std::string, std::string> versions;
    std::string backend, target, error;
    int threads = 0;
    double began = 0, load = 0, processor_seconds = 0, peak = 0, peak_all = 0, peak_device = 0;
    std::vector<double> runs, others_seconds, calibration, run_diff, run_most;
    std::vector<int> run_rows;
    std::vector<Tensor> outputs, others, repeat, last, processor;
    bool has_device = false;
    Device device;
};

// Out is one tensor that came out of a forward pass: a head or rows.
struct Out {
    std::string kind;
    int layer;
    std::vector<int> shape;
    std::vector<float> data;
};

struct Pass {
    double seconds = 0;
    std::vector<Out> outs;
};

// serve does the job on standard input and returns the process's exit status.
// What run throws becomes the answer's error.
int serve(const char *name, const std::function<void(const Job &, Answer &)> &run);

// passes makes all the forward passes of a job. measure is called before, between
// and after the timed runs.
void passes(const Job &job, Answer &answer, const std::function<Pass(int input)> &forward, const std::function<void()> &measure);

// keep writes what came out to files whose names begin with prefix.
std::vector<Tensor> keep(const Job &job, const Pass &pass, const std::string &prefix, int input);

// input reads the three planes of the input of that index, float32.
std::vector<float> input(const Job &job, int index);

// bytes reads a file whose name is UTF-8.
std::string bytes(const std::string &file);

// seconds is a clock that only goes forward.
double seconds();

// Meter measures how fast the machine multiplies and adds, as the gocv worker's
// does.
class Meter {
public:
    explicit Meter(Answer &answer);
    void measure();

private:
    double best(int threads, int tries);
    Answer &answer;
    int threads, all;
    long rounds = 1000;
    float sink = 0;
};

} // namespace worker

#endif
