/* Running SHA-256 of several streams, side by side.
 *
 * nightsafe_native.sha256_mb does the same with the library when this extension is missing, or the
 * processor has no instructions for it.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "module.h"
#include "sha256_mb.h"

#if defined(__GNUC__) && defined(__x86_64__)

enum { MOST_STREAMS = 64 };

typedef struct {
    PyObject_HEAD
    int is_busy;
    uint64_t size; /* of all that came */
    uint8_t rest[SHA256_BLOCK]; /* the last size % BLOCK bytes */
    uint32_t abef[4], cdgh[4];
} Running;

/* A piece on its way into its stream. */
typedef struct {
    Running *stream;
    const uint8_t *at;
    size_t size;
} Piece;

SHA256_MB_TARGET static void
sha256_mb_load_state(Sha256Lane *lane, const Running *self, const uint8_t *at, size_t blocks)
{
    lane->abef = _mm_loadu_si128((const __m128i *)self->abef);
    lane->cdgh = _mm_loadu_si128((const __m128i *)self->cdgh);
    lane->at = at;
    lane->blocks = blocks;
}

SHA256_MB_TARGET static void
sha256_mb_keep_state(const Sha256Lane *lane, Running *self)
{
    _mm_storeu_si128((__m128i *)self->abef, lane->abef);
    _mm_storeu_si128((__m128i *)self->cdgh, lane->cdgh);
}

/* Adds `count` whole blocks that stand in one place. */
static void
sha256_mb_add_blocks(Running *self, const uint8_t *at, size_t count)
{
    Sha256Lane lane;
    sha256_mb_load_state(&lane, self, at, count);
    sha256_mb_take_one(&lane, count);
    sha256_mb_keep_state(&lane, self);
}

/* Fills what is left of a block that has begun. */
static void
sha256_mb_fill_rest(Piece *piece)
{
    Running *self = piece->stream;
    size_t held = self->size % SHA256_BLOCK, wanted = held ? SHA256_BLOCK - held : 0;
    if (wanted > piece->size)
        wanted = piece->size;
    memcpy(self->rest + held, piece->at, wanted);
    self->size += wanted;
    piece->at += wanted;
    piece->size -= wanted;
    if (wanted && self->size % SHA256_BLOCK == 0)
        sha256_mb_add_blocks(self, self->rest, 1);
}

/* Keeps what does not fill a block. */
static void
sha256_mb_keep_rest(Piece *piece)
{
    Running *self = piece->stream;
    size_t whole = piece->size / SHA256_BLOCK * SHA256_BLOCK, left = piece->size - whole;
    if (left)
        memcpy(self->rest + (piece->size == left ? self->size % SHA256_BLOCK : 0),
               piece->at + whole, left);
    self->size += piece->size;
}

/* The next piece that has a whole block goes into a lane; false if there is none. */
static int
sha256_mb_next_lane(Sha256Lane *lane, Piece *pieces, size_t count, size_t *next, size_t *whose)
{
    for (; *next < count; (*next)++) {
        Piece *piece = &pieces[*next];
        if (piece->size < SHA256_BLOCK)
            continue;
        sha256_mb_load_state(lane, piece->stream, piece->at, piece->size / SHA256_BLOCK);
        *whose = (*next)++;
        return 1;
    }
    return 0;
}

static void
sha256_mb_add_all(Piece *pieces, size_t count)
{
    static void (*const take[])(Sha256Lane *, size_t) = {NULL, sha256_mb_take_one,
                                                         sha256_mb_take_two, sha256_mb_take_three};
    Sha256Lane lanes[SHA256_LANES];
    size_t whose[SHA256_LANES], next = 0;
    int used = 0;
    if (__builtin_cpu_supports("avx"))
        sha256_mb_clear_upper_halves();
    for (size_t i = 0; i < count; i++)
        sha256_mb_fill_rest(&pieces[i]);
    while (used < SHA256_LANES && sha256_mb_next_lane(&lanes[used], pieces, count, &next, &whose[used]))
        used++;
    while (used) {
        size_t blocks = lanes[0].blocks;
        for (int i = 1; i < used; i++)
            blocks = lanes[i].blocks < blocks ? lanes[i].blocks : blocks;
        take[used](lanes, blocks);
        for (int i = used - 1; i >= 0; i--) {
            if (lanes[i].blocks)
                continue;
            sha256_mb_keep_state(&lanes[i], pieces[whose[i]].stream);
            if (!sha256_mb_next_lane(&lanes[i], pieces, count, &next, &whose[i]) && --used != i) {
                lanes[i] = lanes[used];
                whose[i] = whose[used];
            }
        }
    }
    for (size_t i = 0; i < count; i++)
        sha256_mb_keep_rest(&pieces[i]);
}

static PyObject *
sha256_mb_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":Running", names))
        return NULL;
    Running *self = (Running *)type->tp_alloc(type, 0);
    if (self != NULL) {
        const Sha256Message nothing = {0};
        Sha256Lane lane;
        sha256_mb_begin(&lane, &nothing);
        sha256_mb_keep_state(&lane, self);
    }
    return (PyObject *)self;
}

static PyObject *
sha256_mb_hexdigest(PyObject *object, PyObject *nothing)
{
    const Running *self = (const Running *)object;
    (void)nothing;
    if (self->is_busy) {
        PyErr_SetString(PyExc_ValueError, "Another thread is adding to this hash.");
        return NULL;
    }
    size_t held = self->size % SHA256_BLOCK, blocks = held < SHA256_BLOCK - 8 ? 1 : 2;
    uint8_t last[2 * SHA256_BLOCK] = {0}, digest[SHA256_DIGEST];
    memcpy(last, self->rest, held);
    last[held] = 0x80;
    sha256_mb_put_number(last + blocks * SHA256_BLOCK - 8, self->size * 8, 8);
    const Sha256Message message = {.digest = digest};
    Sha256Lane lane;
    sha256_mb_load_state(&lane, self, last, blocks);
    lane.message = &message;
    sha256_mb_take_one(&lane, blocks);
    sha256_mb_end(&lane);
    char text[2 * SHA256_DIGEST];
    for (int i = 0; i < SHA256_DIGEST; i++) {
        text[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        text[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    return PyUnicode_FromStringAndSize(text, sizeof text);
}

static PyMethodDef sha256_mb_running_methods[] = {
    {"hexdigest", sha256_mb_hexdigest, METH_NOARGS, "hexdigest(): the hash so far."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot sha256_mb_running_slots[] = {
    {Py_tp_doc, "The SHA-256 of what a stream gave so far."},
    {Py_tp_methods, sha256_mb_running_methods},
    {Py_tp_new, sha256_mb_new},
    {Py_tp_traverse, module_traverse_plain},
    {Py_tp_dealloc, module_dealloc_plain},
    {0, NULL},
};

static PyType_Spec sha256_mb_running_type = {
    .name = "nightsafe_native._sha256_mb.Running",
    .basicsize = sizeof(Running),
    .flags = MODULE_TYPE_FLAGS | Py_TPFLAGS_HAVE_GC,
    .slots = sha256_mb_running_slots,
};

typedef struct {
    PyTypeObject *running_type;
} Sha256MbState;

/* The stream at a place of the list, marked as busy; NULL with an error set. */
static Running *
sha256_mb_claim(PyTypeObject *type, PyObject *list, Py_ssize_t place)
{
    PyObject *given = PySequence_Fast_GET_ITEM(list, place);
    if (!Py_IS_TYPE(given, type)) {
        PyErr_SetString(PyExc_TypeError, "update_all takes streams' hashes.");
        return NULL;
    }
    Running *stream = (Running *)given;
    if (stream->is_busy) {
        PyErr_SetString(PyExc_ValueError, "Each piece belongs to a stream of its own.");
        return NULL;
    }
    stream->is_busy = 1;
    Py_INCREF(stream);
    return stream;
}

static PyObject *
sha256_mb_update_all(PyObject *module, PyObject *args)
{
    PyTypeObject *type = ((Sha256MbState *)PyModule_GetState(module))->running_type;
    PyObject *streams, *texts, *stream_list, *text_list;
    if (!PyArg_ParseTuple(args, "OO:update_all", &streams, &texts))
        return NULL;
    stream_list = PySequence_Fast(streams, "update_all takes a sequence of hashes.");
    text_list = PySequence_Fast(texts, "update_all takes a sequence of pieces.");
    Piece pieces[MOST_STREAMS];
    Py_buffer buffers[MOST_STREAMS];
    Py_ssize_t claimed = 0, held = 0, count = -1;
    if (stream_list != NULL && text_list != NULL) {
        count = PySequence_Fast_GET_SIZE(stream_list);
        if (count != PySequence_Fast_GET_SIZE(text_list) || count > MOST_STREAMS) {
            PyErr_SetString(PyExc_ValueError, "There must be a piece for each hash, and few.");
            count = -1;
        }
    }
    for (; claimed < count; claimed++)
        if ((pieces[claimed].stream = sha256_mb_claim(type, stream_list, claimed)) == NULL)
            break;
    for (; claimed == count && held < count; held++) {
        PyObject *text = PySequence_Fast_GET_ITEM(text_list, held);
        if (PyObject_GetBuffer(text, &buffers[held], PyBUF_SIMPLE) < 0)
            break;
        pieces[held].at = buffers[held].buf;
        pieces[held].size = (size_t)buffers[held].len;
    }
    int is_sound = count >= 0 && held == count && claimed == count;
    if (is_sound) {
        Py_BEGIN_ALLOW_THREADS
        sha256_mb_add_all(pieces, (size_t)count);
        Py_END_ALLOW_THREADS
    }
    while (held > 0)
        PyBuffer_Release(&buffers[--held]);
    while (claimed > 0) {
        Running *stream = pieces[--claimed].stream;
        stream->is_busy = 0;
        Py_DECREF(stream);
    }
    Py_XDECREF(stream_list);
    Py_XDECREF(text_list);
    if (!is_sound)
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef sha256_mb_methods[] = {
    {"update_all", sha256_mb_update_all, METH_VARARGS,
     "update_all(digests, pieces): add to each stream its next piece."},
    {NULL, NULL, 0, NULL},
};

static int
sha256_mb_exec(PyObject *module)
{
    Sha256MbState *state = PyModule_GetState(module);
    if (!sha256_mb_is_supported()) {
        PyErr_SetString(PyExc_ImportError, "This processor has no instructions for SHA-256.");
        return -1;
    }
    state->running_type = module_add_type(module, &sha256_mb_running_type);
    return state->running_type == NULL ? -1 : 0;
}

static int
sha256_mb_traverse(PyObject *module, visitproc visit, void *arg)
{
    Py_VISIT(((Sha256MbState *)PyModule_GetState(module))->running_type);
    return 0;
}

static int
sha256_mb_clear(PyObject *module)
{
    Py_CLEAR(((Sha256MbState *)PyModule_GetState(module))->running_type);
    return 0;
}

static void
sha256_mb_free(void *module)
{
    sha256_mb_clear(module);
}

static PyModuleDef_Slot sha256_mb_slots[] = {{Py_mod_exec, sha256_mb_exec}, MODULE_SLOTS};

static struct PyModuleDef sha256_mb_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "nightsafe_native._sha256_mb",
    .m_doc = "SHA-256 of several streams.",
    .m_size = sizeof(Sha256MbState),
    .m_methods = sha256_mb_methods,
    .m_slots = sha256_mb_slots,
    .m_traverse = sha256_mb_traverse,
    .m_clear = sha256_mb_clear,
    .m_free = sha256_mb_free,
};

#else

static int
sha256_mb_exec(PyObject *module)
{
    (void)module;
    PyErr_SetString(PyExc_ImportError, "This processor has no instructions for SHA-256.");
    return -1;
}

static PyModuleDef_Slot sha256_mb_slots[] = {{Py_mod_exec, sha256_mb_exec}, MODULE_SLOTS};

static struct PyModuleDef sha256_mb_module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "nightsafe_native._sha256_mb",
    .m_slots = sha256_mb_slots,
};

#endif

MODULE_INIT(_sha256_mb, sha256_mb_module)
