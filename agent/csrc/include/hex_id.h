/* Ids as JSON has them: 64 hexadecimal digits, in small letters only. */
#ifndef NIGHTSAFE_ID_H
#define NIGHTSAFE_ID_H

#include <Python.h>
#include <stdint.h>

enum { ID = 32 };

static inline int
digit_of(char letter)
{
    if (letter >= '0' && letter <= '9')
        return letter - '0';
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* The bytes that 2 * ID digits stand for; NULL without an exception if they are none, and with one if
 * memory is short. */
static inline PyObject *
read_id(const char *text)
{
    uint8_t id[ID];
    for (int i = 0; i < ID; i++) {
        int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return NULL;
        id[i] = (uint8_t)(high << 4 | low);
    }
    return PyBytes_FromStringAndSize((const char *)id, ID);
}

#endif
