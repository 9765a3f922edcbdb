#include <algorithm>
#include <chrono>
#include <exception>

#include <opencv2/core/ocl.hpp>

// deployctl_work_opencl does on OpenCL's device what deployctl_work does on the
// processor. It returns -1 where that cannot be done.
extern "C" double deployctl_work_opencl(long rounds, double *flop) {
    typedef std::chrono::steady_clock clock;
    try {
        if (!cv::ocl::useOpenCL()) return -1;
        static cv::ocl::Kernel kernel(
            "work",
            cv::ocl::ProgramSource("__kernel void work(__global float *out, int rounds) {"
                                   "  float16 a = (float16)(get_global_id(0)), b = a + 1, c = a + 2, d = a + 3;"
                                   "  for (int r = 0; r < rounds; r++) {"
                                   "    a = mad(a, 0.5f, 1.0f); b = mad(b, 0.5f, 1.0f); c = mad(c, 0.5f, 1.0f); d = mad(d, 0.5f, 1.0f);"
                                   "  }"
                                   "  a += b + c + d;"
                                   "  out[get_global_id(0)] = a.s0 + a.s7 + a.sf;"
                                   "}"));
        if (kernel.empty()) return -1;
        const int units = std::max(1, cv::ocl::Device::getDefault().maxComputeUnits());
        size_t items = size_t(units) * 1024;
        static cv::UMat out;
        if (out.empty()) out.create(1, int(items), CV_32F);
        kernel.args(cv::ocl::KernelArg::PtrWriteOnly(out), int(rounds));
        const clock::time_point begin = clock::now();
        if (!kernel.run(1, &items, nullptr, true)) return -1;
        *flop = 2.0 * 4 * 16 * double(rounds) * double(items);
        return std::chrono::duration<double>(clock::now() - begin).count();
    } catch (const std::exception &) {
        return -1; // OpenCV says why in its log
    }
}
