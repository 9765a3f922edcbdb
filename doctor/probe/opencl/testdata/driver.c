// An OpenCL driver with one platform and one device.
#include <stdio.h>
#include <string.h>
#include <stddef.h>
struct object { void **table; };
static void *table[4];
static struct object plat = { table }, dev = { table };
static int text(const char *s, size_t size, void *value, size_t *need) {
	if (need) *need = strlen(s) + 1;
	if (value) { if (size < strlen(s) + 1) return -30; strcpy(value, s); }
	return 0;
}
static int platform_info(struct object *p, unsigned what, size_t size, void *value, size_t *need) {
	switch (what) {
	case 0x0902: return text("Test platform", size, value, need);
	case 0x0901: return text("OpenCL 2.1 test", size, value, need);
	}
	return -30;
}
static int device_ids(struct object *p, unsigned long kind, unsigned n, struct object **out, unsigned *count) {
	if (count) *count = 1;
	if (out && n) out[0] = &dev;
	return 0;
}
static int device_info(struct object *d, unsigned what, size_t size, void *value, size_t *need) {
	unsigned long number = 0; size_t width = 4;
	switch (what) {
	case 0x102B: return text("Test device", size, value, need);
	case 0x1030: return text("cl_khr_fp16", size, value, need);
	case 0x1000: number = 4; width = 8; break;
	case 0x1002: number = 7; break;
	case 0x101F: number = 5000000000UL; width = 8; break;
	case 0x1027: number = 1; break;
	default: return -30;
	}
	if (need) *need = width;
	if (value) memcpy(value, &number, width);
	return 0;
}
int clIcdGetPlatformIDsKHR(unsigned n, struct object **out, unsigned *count) {
	printf("a driver's chatter"); fflush(stdout);
	table[1] = platform_info; table[2] = device_ids; table[3] = device_info;
	if (count) *count = 1;
	if (out && n) out[0] = &plat;
	return 0;
}
