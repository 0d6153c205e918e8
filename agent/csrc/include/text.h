/* A text that grows as it is written. */
#ifndef NIGHTSAFE_TEXT_H
#define NIGHTSAFE_TEXT_H

#include <Python.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    char *text;
    size_t size, room;
} Text;

/* Sees to it that there is room for `size` bytes more; 0, with an error set, if there is none. */
static inline int
text_need(Text *to, size_t size)
{
    if (to->room - to->size >= size)
        return 1;
    size_t room = (to->size + size) * 2;
    char *text = PyMem_RawRealloc(to->text, room);
    if (text == NULL) {
        PyErr_NoMemory();
        return 0;
    }
    to->text = text;
    to->room = room;
    return 1;
}

/* These have room already. */
static inline void
text_add(Text *to, const char *text, size_t size)
{
    memcpy(to->text + to->size, text, size);
    to->size += size;
}

#define TEXT_ADD(to, literal) text_add(to, literal, sizeof literal - 1)

static inline void
text_add_number(Text *to, unsigned long long number)
{
    char digits[24];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    text_add(to, digits + at, sizeof digits - at);
}

static inline void
text_add_fraction(Text *to, long long nanoseconds)
{
    char digits[10] = ".";
    int last = 0;
    for (int i = 9; i > 0; i--) {
        digits[i] = (char)('0' + nanoseconds % 10);
        nanoseconds /= 10;
        if (digits[i] != '0' && last == 0)
            last = i;
    }
    if (last)
        text_add(to, digits, (size_t)last + 1);
}

static inline void
text_add_hex(Text *to, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < size; i++) {
        to->text[to->size++] = digits[bytes[i] >> 4];
        to->text[to->size++] = digits[bytes[i] & 15];
    }
}

#endif
