/* The memory-hard part of scrypt (RFC 7914: scryptROMix), two of whose `p` lanes run in one thread.
 *
 * nightsafe.repofile.key calls the standard library, which runs one lane after the other, when this
 * extension is missing.
 */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "module.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "The words of a block are taken as they lie in memory."
#endif

/* Four words of a Salsa20 block that are worked on at once: a diagonal of its square. */
typedef uint32_t Diagonal __attribute__((vector_size(16)));
typedef struct {
    Diagonal part[4];
} Block;

/* The same of two lanes: one alone keeps a processor waiting for its own results. */
typedef uint32_t Twin __attribute__((vector_size(32)));
typedef struct {
    Twin part[4];
} TwinBlock;

enum { WORDS = 16, MOST_THREADS = 8 };

#define INLINE static inline __attribute__((always_inline))

#define ROTATE(value, bits) ((value) << (bits) | (value) >> (32 - (bits)))
#define TURN(value, a, b, c, d)                                                                    \
    __builtin_shufflevector(value, value, a, b, c, d, (a) + 4, (b) + 4, (c) + 4, (d) + 4)

/* `x` becomes Salsa20/8 of itself, in both lanes. */
INLINE void
scrypt_salsa(TwinBlock *x)
{
    Twin a = x->part[0], b = x->part[1], c = x->part[2], d = x->part[3];
    for (int i = 0; i < 4; i++) {
        b ^= ROTATE(a + d, 7);
        c ^= ROTATE(b + a, 9);
        d ^= ROTATE(c + b, 13);
        a ^= ROTATE(d + c, 18);
        /* From columns to rows: the diagonals keep their places, turned against each other. */
        b = TURN(b, 3, 0, 1, 2);
        c = TURN(c, 2, 3, 0, 1);
        d = TURN(d, 1, 2, 3, 0);
        d ^= ROTATE(a + b, 7);
        c ^= ROTATE(d + a, 9);
        b ^= ROTATE(c + d, 13);
        a ^= ROTATE(b + c, 18);
        b = TURN(b, 1, 2, 3, 0);
        c = TURN(c, 2, 3, 0, 1);
        d = TURN(d, 3, 0, 1, 2);
    }
    x->part[0] += a;
    x->part[1] += b;
    x->part[2] += c;
    x->part[3] += d;
}

/* XOR `x` with a block of either lane. */
INLINE void
scrypt_add(TwinBlock *x, const Block *one, const Block *other)
{
    for (int i = 0; i < 4; i++)
        x->part[i] ^= __builtin_shufflevector(one->part[i], other->part[i], 0, 1, 2, 3, 4, 5, 6, 7);
}

INLINE void
scrypt_put(const TwinBlock *x, Block *one, Block *other)
{
    for (int i = 0; i < 4; i++) {
        one->part[i] = __builtin_shufflevector(x->part[i], x->part[i], 0, 1, 2, 3);
        other->part[i] = __builtin_shufflevector(x->part[i], x->part[i], 4, 5, 6, 7);
    }
}

/* Where a lane's blocks are: the ones read, those XORed to them (or NULL), the ones written. */
typedef struct {
    const Block *from, *with;
    Block *to;
} Step;

/* scryptBlockMix of 2r blocks of two lanes. */
INLINE void
scrypt_mix(Step one, Step other, size_t r)
{
    size_t last = 2 * r - 1;
    TwinBlock x = {0};
    scrypt_add(&x, &one.from[last], &other.from[last]);
    if (one.with != NULL)
        scrypt_add(&x, &one.with[last], &other.with[last]);
    for (size_t i = 0; i < 2 * r; i++) {
        scrypt_add(&x, &one.from[i], &other.from[i]);
        if (one.with != NULL)
            scrypt_add(&x, &one.with[i], &other.with[i]);
        scrypt_salsa(&x);
        size_t place = i / 2 + (i % 2) * r;
        scrypt_put(&x, &one.to[place], &other.to[place]);
    }
}

/* Between the order of the words in a lane and the one in diagonals. */
static void
scrypt_arrange(uint32_t *diagonals, uint32_t *words, size_t blocks, int is_back)
{
    for (size_t block = 0; block < blocks; block++)
        for (size_t i = 0; i < WORDS; i++) {
            uint32_t *one = &diagonals[block * WORDS + i];
            uint32_t *other = &words[block * WORDS + i * 5 % WORDS];
            *(is_back ? other : one) = *(is_back ? one : other);
        }
}

/* A lane's memory: `v` is n times 2r blocks, `x` and `y` are 2r each. */
typedef struct {
    Block *v, *x, *y;
} Memory;

/* Two lanes from beginning to end. Both may be the same one: then it is done twice, with the same
 * result in the same place. */
INLINE void
scrypt_run(Memory one, Memory other, size_t n, size_t r)
{
    size_t width = 2 * r;
    for (size_t i = 1; i <= n; i++) {
        size_t from = (i - 1) * width, to = i * width; /* x lies behind v */
        scrypt_mix((Step){one.v + from, NULL, one.v + to},
                   (Step){other.v + from, NULL, other.v + to}, r);
    }
    for (size_t i = 0; i < n; i++) {
        size_t j = ((const uint32_t *)&one.x[width - 1])[0] & (n - 1);
        size_t k = ((const uint32_t *)&other.x[width - 1])[0] & (n - 1);
        for (size_t place = 0; place < width; place++) {
            __builtin_prefetch(one.v + j * width + place);
            __builtin_prefetch(other.v + k * width + place);
        }
        scrypt_mix((Step){one.x, one.v + j * width, one.y},
                   (Step){other.x, other.v + k * width, other.y}, r);
        Memory swap = {one.v, one.y, one.x}, other_swap = {other.v, other.y, other.x};
        one = swap;
        other = other_swap;
    }
}

/* The same for processors that work on more at a time. */
#ifdef __x86_64__
__attribute__((target("avx512vl"))) static void
scrypt_run_on_avx512(Memory one, Memory other, size_t n, size_t r)
{
    scrypt_run(one, other, n, r);
}

__attribute__((target("avx2"))) static void
scrypt_run_on_avx2(Memory one, Memory other, size_t n, size_t r)
{
    scrypt_run(one, other, n, r);
}
#endif

static void
scrypt_run_as_fits(Memory one, Memory other, size_t n, size_t r)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512vl")) {
        scrypt_run_on_avx512(one, other, n, r);
        return;
    }
    if (__builtin_cpu_supports("avx2")) {
        scrypt_run_on_avx2(one, other, n, r);
        return;
    }
#endif
    scrypt_run(one, other, n, r);
}

typedef struct {
    uint8_t *lanes;
    size_t count, n, r; /* one lane or two */
    int is_done;
} Task;

static void *
scrypt_work(void *given)
{
    Task *task = given;
    size_t n = task->n, width = 2 * task->r, blocks = (n + 2) * width;
    size_t size = task->count * blocks * sizeof(Block);
    Block *all = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED)
        return NULL;
#ifdef MADV_HUGEPAGE
    madvise(all, size, MADV_HUGEPAGE);
#endif
    Memory memory[2];
    for (size_t i = 0; i < 2; i++) {
        Block *v = all + (i % task->count) * blocks;
        memory[i] = (Memory){v, v + n * width, v + (n + 1) * width};
    }
    for (size_t i = 0; i < task->count; i++)
        scrypt_arrange((uint32_t *)memory[i].v, (uint32_t *)(task->lanes + i * width * 64), width,
                       0);
    scrypt_run_as_fits(memory[0], memory[1], n, task->r);
    /* Each turn exchanges x and y, and n is even. */
    for (size_t i = 0; i < task->count; i++)
        scrypt_arrange((uint32_t *)memory[i].x, (uint32_t *)(task->lanes + i * width * 64), width,
                       1);
    munmap(all, size);
    task->is_done = 1;
    return NULL;
}

/* All tasks, `width` of them at a time; false if there is no memory for it. */
static int
scrypt_run_all(Task *tasks, size_t count, size_t width)
{
    int is_done = 1;
    for (size_t start = 0; start < count; start += width) {
        pthread_t threads[MOST_THREADS];
        int is_started[MOST_THREADS] = {0};
        size_t last = count - start < width ? count - start : width;
        for (size_t i = 1; i < last; i++)
            is_started[i] = pthread_create(&threads[i], NULL, scrypt_work, &tasks[start + i]) == 0;
        scrypt_work(&tasks[start]);
        for (size_t i = 1; i < last; i++) {
            if (is_started[i])
                pthread_join(threads[i], NULL);
            else
                scrypt_work(&tasks[start + i]);
        }
        for (size_t i = 0; i < last; i++)
            is_done &= tasks[start + i].is_done;
    }
    return is_done;
}

/* romix(lanes, n, r, together): the lanes, of 128 r bytes each, after scryptROMix.
 *
 * As many of them as `together` says are in memory at the same time, two in a thread.
 */
static PyObject *
scrypt_romix(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer lanes;
    Py_ssize_t n, r, together;
    if (!PyArg_ParseTuple(args, "y*nnn:romix", &lanes, &n, &r, &together))
        return NULL;
    PyObject *mixed = NULL;
    Task *tasks = NULL;
    int is_sound = n > 1 && n <= 1 << 24 && (n & (n - 1)) == 0 && r > 0 && r <= 1 << 16 &&
                   lanes.len > 0 && lanes.len % (128 * r) == 0 && together > 0;
    if (!is_sound) {
        PyErr_SetString(PyExc_ValueError, "These numbers make no sense for scrypt.");
    } else {
        size_t size = 128 * (size_t)r, count = (size_t)lanes.len / size;
        size_t in_thread = together > 1 ? 2 : 1, width = (size_t)together / in_thread;
        size_t tasks_count = (count + in_thread - 1) / in_thread;
        if (width > MOST_THREADS)
            width = MOST_THREADS;
        mixed = PyBytes_FromStringAndSize(lanes.buf, lanes.len);
        tasks = PyMem_Calloc(tasks_count, sizeof *tasks);
        if (mixed != NULL && tasks != NULL) {
            int is_done;
            for (size_t i = 0; i < tasks_count; i++) {
                size_t first = i * in_thread, left = count - first;
                tasks[i] = (Task){.lanes = (uint8_t *)PyBytes_AS_STRING(mixed) + first * size,
                                  .count = left < in_thread ? left : in_thread,
                                  .n = (size_t)n,
                                  .r = (size_t)r};
            }
            Py_BEGIN_ALLOW_THREADS
            is_done = scrypt_run_all(tasks, tasks_count, width);
            Py_END_ALLOW_THREADS
            if (!is_done)
                Py_CLEAR(mixed);
        } else {
            Py_CLEAR(mixed);
        }
        if (mixed == NULL)
            PyErr_NoMemory();
    }
    PyMem_Free(tasks);
    PyBuffer_Release(&lanes);
    return mixed;
}

static PyMethodDef scrypt_methods[] = {
    {"romix", scrypt_romix, METH_VARARGS,
     "romix(lanes, n, r, together): the lanes after scryptROMix; MemoryError if there is too "
     "little."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot scrypt_slots[] = {MODULE_SLOTS};

static struct PyModuleDef scrypt_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "nightsafe._native.scrypt",
    .m_doc = "scrypt's lanes side by side.",
    .m_size = 0,
    .m_methods = scrypt_methods,
    .m_slots = scrypt_slots,
};

MODULE_INIT(scrypt, scrypt_module)
