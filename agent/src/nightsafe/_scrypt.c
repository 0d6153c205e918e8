/* The memory-hard part of scrypt (RFC 7914: scryptROMix), whose `p` lanes run side by side.
 *
 * nightsafe.keys calls the standard library, which runs one lane after the other, when this
 * extension is missing.
 */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "The words of a block are taken as they lie in memory."
#endif

/* Four words of a Salsa20 block that are worked on at once: a diagonal of its square. */
typedef uint32_t Diagonal __attribute__((vector_size(16)));
typedef struct {
    Diagonal part[4];
} Block;

enum { WORDS = 16, MOST_LANES = 8 };

static inline Diagonal
rotate(Diagonal value, int bits)
{
    return value << bits | value >> (32 - bits);
}

#define TURN(value, a, b, c, d) __builtin_shufflevector(value, value, a, b, c, d)

/* `x` becomes Salsa20/8 of itself. */
static inline void
salsa(Block *x)
{
    Diagonal a = x->part[0], b = x->part[1], c = x->part[2], d = x->part[3];
    for (int i = 0; i < 4; i++) {
        b ^= rotate(a + d, 7);
        c ^= rotate(b + a, 9);
        d ^= rotate(c + b, 13);
        a ^= rotate(d + c, 18);
        /* From columns to rows: the diagonals keep their places, turned against each other. */
        b = TURN(b, 3, 0, 1, 2);
        c = TURN(c, 2, 3, 0, 1);
        d = TURN(d, 1, 2, 3, 0);
        d ^= rotate(a + b, 7);
        c ^= rotate(d + a, 9);
        b ^= rotate(c + d, 13);
        a ^= rotate(b + c, 18);
        b = TURN(b, 1, 2, 3, 0);
        c = TURN(c, 2, 3, 0, 1);
        d = TURN(d, 3, 0, 1, 2);
    }
    x->part[0] += a;
    x->part[1] += b;
    x->part[2] += c;
    x->part[3] += d;
}

static inline void
add(Block *to, const Block *other)
{
    for (int i = 0; i < 4; i++)
        to->part[i] ^= other->part[i];
}

/* scryptBlockMix of 2r blocks, XORed with `other` first if there is one. */
static inline void
mix(Block *to, const Block *from, const Block *other, size_t r)
{
    Block x = from[2 * r - 1];
    if (other != NULL)
        add(&x, &other[2 * r - 1]);
    for (size_t i = 0; i < 2 * r; i++) {
        add(&x, &from[i]);
        if (other != NULL)
            add(&x, &other[i]);
        salsa(&x);
        to[i / 2 + (i % 2) * r] = x;
    }
}

/* Between the order of the words in a lane and the one in diagonals. */
static void
arrange(uint32_t *diagonals, uint32_t *words, size_t blocks, int is_back)
{
    for (size_t block = 0; block < blocks; block++)
        for (size_t i = 0; i < WORDS; i++) {
            uint32_t *one = &diagonals[block * WORDS + i];
            uint32_t *other = &words[block * WORDS + i * 5 % WORDS];
            *(is_back ? other : one) = *(is_back ? one : other);
        }
}

typedef struct {
    uint8_t *lane;
    size_t n, r;
    int is_done;
} Task;

/* One lane from beginning to end: `v` has room for n times 2r blocks, `x` and `y` for 2r. */
static void
run(const Task *task, Block *v, Block *x, Block *y)
{
    size_t n = task->n, r = task->r, width = 2 * r;
    arrange((uint32_t *)v, (uint32_t *)task->lane, width, 0);
    for (size_t i = 1; i < n; i++)
        mix(v + i * width, v + (i - 1) * width, NULL, r);
    mix(x, v + (n - 1) * width, NULL, r);
    for (size_t i = 0; i < n; i++) {
        size_t j = ((const uint32_t *)&x[width - 1])[0] & (n - 1);
        mix(y, x, v + j * width, r);
        Block *swap = x;
        x = y;
        y = swap;
    }
    arrange((uint32_t *)x, (uint32_t *)task->lane, width, 1);
}

static void *
work(void *given)
{
    Task *task = given;
    size_t width = 2 * task->r, size = (task->n + 2) * width * sizeof(Block);
    Block *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
#ifdef MADV_HUGEPAGE
    madvise(memory, size, MADV_HUGEPAGE);
#endif
    run(task, memory, memory + task->n * width, memory + (task->n + 1) * width);
    munmap(memory, size);
    task->is_done = 1;
    return NULL;
}

/* All lanes, `width` of them at a time; false if there is no memory for it. */
static int
run_all(Task *tasks, size_t count, size_t width)
{
    int is_done = 1;
    for (size_t start = 0; start < count; start += width) {
        pthread_t threads[MOST_LANES];
        int is_started[MOST_LANES] = {0};
        size_t last = count - start < width ? count - start : width;
        for (size_t i = 1; i < last; i++)
            is_started[i] = pthread_create(&threads[i], NULL, work, &tasks[start + i]) == 0;
        work(&tasks[start]);
        for (size_t i = 1; i < last; i++) {
            if (is_started[i])
                pthread_join(threads[i], NULL);
            else
                work(&tasks[start + i]);
        }
        for (size_t i = 0; i < last; i++)
            is_done &= tasks[start + i].is_done;
    }
    return is_done;
}

/* romix(lanes, n, r, threads): the lanes, of 128 r bytes each, after scryptROMix. */
static PyObject *
romix(PyObject *module, PyObject *args)
{
    (void)module;
    Py_buffer lanes;
    Py_ssize_t n, r, threads;
    if (!PyArg_ParseTuple(args, "y*nnn:romix", &lanes, &n, &r, &threads))
        return NULL;
    PyObject *mixed = NULL;
    Task *tasks = NULL;
    int is_sound = n > 1 && n <= 1 << 24 && (n & (n - 1)) == 0 && r > 0 && r <= 1 << 16 &&
                   lanes.len > 0 && lanes.len % (128 * r) == 0 && threads > 0;
    if (!is_sound) {
        PyErr_SetString(PyExc_ValueError, "These numbers make no sense for scrypt.");
    } else {
        size_t count = (size_t)(lanes.len / (128 * r));
        size_t width = (size_t)(threads < MOST_LANES ? threads : MOST_LANES);
        mixed = PyBytes_FromStringAndSize(lanes.buf, lanes.len);
        tasks = PyMem_Calloc(count, sizeof *tasks);
        if (mixed != NULL && tasks != NULL) {
            int is_done;
            for (size_t i = 0; i < count; i++)
                tasks[i] = (Task){.lane = (uint8_t *)PyBytes_AS_STRING(mixed) + i * 128 * (size_t)r,
                                  .n = (size_t)n,
                                  .r = (size_t)r};
            Py_BEGIN_ALLOW_THREADS
            is_done = run_all(tasks, count, width);
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

static PyMethodDef methods[] = {
    {"romix", romix, METH_VARARGS,
     "romix(lanes, n, r, threads): the lanes after scryptROMix; MemoryError if there is too little."},
    {NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT,
                                    .m_name = "nightsafe._scrypt",
                                    .m_doc = "scrypt's lanes side by side.",
                                    .m_size = -1,
                                    .m_methods = methods};

PyMODINIT_FUNC
PyInit__scrypt(void)
{
    return PyModule_Create(&module);
}
