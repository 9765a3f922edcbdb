#include <opencv2/core/utility.hpp>

// deployctl_threads sets OpenCV's number of threads where n is positive, and
// returns the number in force.
extern "C" int deployctl_threads(int n) {
    if (n > 0) {
        cv::setNumThreads(n);
    }
    return cv::getNumThreads();
}
