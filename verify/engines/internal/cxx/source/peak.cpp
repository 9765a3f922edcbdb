#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#if defined(_MSC_VER)
#elif defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// The vector code is GCC's and Clang's.
#if !defined(_MSC_VER)

// How fast can this machine multiply and add single-precision numbers? Twelve
// sums that do not wait for one another keep two units of a latency of up to
// six cycles busy, more than any processor of today has. The numbers stay finite:
// a = a × 0.5 + 1 goes to 2.
static const int sums = 12;

typedef float (*loop)(long rounds);

static float portable(long rounds) {
    float a[sums][4] = {};
    for (long r = 0; r < rounds; r++)
        for (int k = 0; k < sums; k++)
            for (int i = 0; i < 4; i++) a[k][i] = a[k][i] * 0.5f + 1;
    float all = 0;
    for (int k = 0; k < sums; k++)
        for (int i = 0; i < 4; i++) all += a[k][i];
    return all;
}

#if defined(__x86_64__) || defined(__i386__)
__attribute__((target("avx512f"))) static float avx512(long rounds) {
    __m512 a[sums];
    const __m512 x = _mm512_set1_ps(0.5f), y = _mm512_set1_ps(1);
    for (int k = 0; k < sums; k++) a[k] = y;
    for (long r = 0; r < rounds; r++)
#pragma GCC unroll 12
        for (int k = 0; k < sums; k++) a[k] = _mm512_fmadd_ps(a[k], x, y);
    float out[16], all = 0;
    for (int k = 0; k < sums; k++) {
        _mm512_storeu_ps(out, a[k]);
        all += out[0];
    }
    return all;
}

__attribute__((target("avx2,fma"))) static float avx2(long rounds) {
    __m256 a[sums];
    const __m256 x = _mm256_set1_ps(0.5f), y = _mm256_set1_ps(1);
    for (int k = 0; k < sums; k++) a[k] = y;
    for (long r = 0; r < rounds; r++)
#pragma GCC unroll 12
        for (int k = 0; k < sums; k++) a[k] = _mm256_fmadd_ps(a[k], x, y);
    float out[8], all = 0;
    for (int k = 0; k < sums; k++) {
        _mm256_storeu_ps(out, a[k]);
        all += out[0];
    }
    return all;
}
#elif defined(__aarch64__)
static float neon(long rounds) {
    float32x4_t a[sums];
    const float32x4_t x = vdupq_n_f32(0.5f), y = vdupq_n_f32(1);
    for (int k = 0; k < sums; k++) a[k] = y;
    for (long r = 0; r < rounds; r++)
#pragma GCC unroll 12
        for (int k = 0; k < sums; k++) a[k] = vfmaq_f32(y, a[k], x);
    float all = 0;
    for (int k = 0; k < sums; k++) all += vgetq_lane_f32(a[k], 0);
    return all;
}
#endif

// widest is the loop for this processor, and how many numbers it has abreast.
static loop widest(int *lanes) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f")) return *lanes = 16, avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return *lanes = 8, avx2;
#elif defined(__aarch64__)
    return *lanes = 4, neon;
#endif
    return *lanes = 4, portable;
}

#endif // !_MSC_VER

// deployctl_work does `rounds` rounds in each of so many threads, which begin
// together. It returns the seconds that the slowest took; what it computed goes
// to `sink`, so that no compiler leaves it out. flop is set to the operations
// of all threads.
// -1: this C++ library has no threads (MinGW's for Windows' own), or the compiler
// is Visual C++, for which no vector code is written: a rate below the processor's
// would make an engine look faster than it can be.
extern "C" double deployctl_work(int threads, long rounds, double *flop, float *sink) {
#if defined(_MSC_VER)
    return (void)threads, (void)rounds, (void)flop, (void)sink, -1;
#elif defined(__GLIBCXX__) && !defined(_GLIBCXX_HAS_GTHREADS)
    return (void)threads, (void)rounds, (void)flop, (void)sink, (void)widest, -1;
#else
    typedef std::chrono::steady_clock clock;
    int lanes = 0;
    const loop f = widest(&lanes);
    std::atomic<int> waiting(threads);
    std::vector<double> took(size_t(threads), 0);
    std::vector<float> sum(size_t(threads), 0);
    std::vector<std::thread> all;
    for (int t = 0; t < threads; t++) {
        all.emplace_back([&, t] {
            waiting--;
            while (waiting > 0) std::this_thread::yield();
            const clock::time_point begin = clock::now();
            sum[size_t(t)] = f(rounds);
            took[size_t(t)] = std::chrono::duration<double>(clock::now() - begin).count();
        });
    }
    for (std::thread &t : all) t.join();
    for (float s : sum) *sink += s;
    *flop = 2.0 * sums * lanes * double(rounds) * threads;
    return *std::max_element(took.begin(), took.end());
#endif
}
