// Runs expanded kernels on the processor: threads one after the other, which is enough for kernels without barriers.
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <map>
#include <vector>

struct uint3 {
    unsigned x, y, z;
};
static inline uint3 make_uint3(unsigned x, unsigned y, unsigned z) { return {x, y, z}; }
static uint3 threadIdx, blockIdx, blockDim, gridDim;
#define __global__
#define __launch_bounds__(threads)
#define __grid_constant__
#define __align__(bytes) __attribute__((aligned(bytes)))

// A buffer that takes the type of the parameter it is given to.
struct Any {
    void *start;
    template <class T> operator T *() const { return static_cast<T *>(start); }
};

typedef void (*Call)(const std::vector<Any> &, const std::vector<uint32_t> &);

template <class Info> static Info info_of(const std::vector<uint32_t> &numbers) {
    Info info;
    memset(&info, 0xee, sizeof info);
    if (numbers.size() > sizeof info.scalars_uint32 / 4) abort();
    memcpy(info.scalars_uint32, numbers.data(), 4 * numbers.size());
    return info;
}

//KERNELS

static uint32_t word() {
    uint32_t value;
    if (fread(&value, 4, 1, stdin) != 1) exit(3);
    return value;
}

static std::vector<uint32_t> words() {
    std::vector<uint32_t> list(word());
    for (auto &value : list) value = word();
    return list;
}

static std::map<uint32_t, void *> all;

static void launch(Call call) {
    gridDim = {word(), 1, 1};
    gridDim.y = word();
    gridDim.z = word();
    blockDim = {word(), 1, 1};
    blockDim.y = word();
    if (gridDim.y > 65535 || gridDim.z > 65535 || blockDim.x * blockDim.y > 1024) exit(4);
    std::vector<Any> buffers;
    for (uint32_t id : words()) buffers.push_back({all.at(id)});
    const std::vector<uint32_t> numbers = words();
    for (blockIdx.z = 0; blockIdx.z < gridDim.z; blockIdx.z++)
        for (blockIdx.y = 0; blockIdx.y < gridDim.y; blockIdx.y++)
            for (blockIdx.x = 0; blockIdx.x < gridDim.x; blockIdx.x++)
                for (threadIdx.y = 0; threadIdx.y < blockDim.y; threadIdx.y++)
                    for (threadIdx.x = 0; threadIdx.x < blockDim.x; threadIdx.x++) call(buffers, numbers);
}

int main() {
    uint32_t command;
    std::map<uint32_t, size_t> sizes;
    while (fread(&command, 4, 1, stdin) == 1) {
        if (command == 0) { // new buffer: id, bytes; all bits set is NaN
            uint32_t id = word();
            sizes[id] = word();
            all[id] = malloc(sizes[id]);
            memset(all[id], 0xff, sizes[id]);
        } else if (command == 1) { // content: id, then its bytes
            uint32_t id = word();
            if (fread(all.at(id), 1, sizes.at(id), stdin) != sizes.at(id)) exit(3);
        } else if (command == 2) { // launch: kernel, geometry, buffers, numbers
            launch(CALLS[word()]);
        } else if (command == 3) { // result: id
            uint32_t id = word();
            fwrite(all.at(id), 1, sizes.at(id), stdout);
        } else {
            exit(5);
        }
    }
    for (auto &entry : all) free(entry.second);
}
