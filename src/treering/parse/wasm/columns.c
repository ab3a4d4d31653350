/* Lays out records in MessagePack (an array of maps, as `otlp.c` writes it) as Arrow columns: one for each field and, of
 * objects, for each of their fields.
 *
 * Fields whose values are all texts, integers, floats or booleans become buffers as Arrow has them; of others (lists,
 * nulls, empty objects, several kinds) the values are written one after another as an array in MessagePack. What
 * `otlp.c` does not write, a field twice in an object and too many fields are refused. Texts are copied as they are;
 * whoever reads the columns checks that they are UTF-8. Runs as WebAssembly: a wrong address is the program's own.
 *
 * Build, here with Zig's clang, which comes as a Python package (ziglang 0.17.1):
 *   python -m ziglang cc -target wasm32-freestanding -O3 -nostdlib -Wall -Wextra -Wl,--no-entry -Wl,--strip-all \
 *     -o columns.wasm columns.c && sha256sum columns.c > columns.c.sha256
 */
typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(#name)))
#define PAGE 65536u
#define MOST_NODES 512u
#define MOST_CELLS (1u << 23)
#define DEEPEST 40u
#define BEYOND 16u /* bytes after the records that may be read */
#define SHORT 64u  /* bytes up to which copying eight at a time is fastest */

/* Kinds of values; a field has those of all its values. */
enum { STRING = 1, INTEGER = 2, FLOAT = 4, BOOLEAN = 8, OBJECT = 16, NIL = 32, LIST = 64, MAP = 128, HUGE = 256 };

typedef struct {
    u32 kind, size; /* of a text in bytes, of a list or map in members */
    u64 bits;
    const u8 *text;
} Value;

/* A field: the key it has in its parent, and the buffers of its column. */
typedef struct {
    u32 key, length, parent, kinds, count; /* `count` values that are no objects with fields */
    u32 valid, values, values_size, texts, texts_size;
    u32 next, child, bytes;
    u32 *at; /* of each row where its value begins, 0 where it has none */
} Node;

extern u8 __heap_base;
static u32 top, rows, row, count, refused;
static struct { u32 fields, rows, table, start, stop; } made; /* what is told of records that were laid out */
static Node nodes[MOST_NODES]; /* the first one is the record */
static const u8 *at, *end;

static u32 take(u64 size) {
    u32 start = (top + 15u) & ~15u;
    u64 stop = (u64)start + size + 8, have = (u64)__builtin_wasm_memory_size(0) * PAGE;
    if (stop > have && __builtin_wasm_memory_grow(0, (u32)((stop - have + PAGE - 1) / PAGE)) == (unsigned long)-1)
        __builtin_trap();
    top = start + (u32)size;
    return start;
}

static u32 take_zeros(u32 size) {
    u32 start = take(size);
    __builtin_memset((u8 *)start, 0, size);
    return start;
}

/* ---- reading ---- */

static u64 load(const u8 *from) {
    u64 value;
    __builtin_memcpy(&value, from, 8);
    return value;
}

static u64 big(u32 size) {
    if ((u32)(end - at) < size) return refused = 1, 0;
    u64 value = __builtin_bswap64(load(at)) >> (64 - 8 * size);
    at += size;
    return value;
}

/* Reads a value, of a list or map only its beginning. */
static Value head(void) {
    u32 tag = (u32)big(1);
    Value value = {INTEGER, 0, tag, 0};
    if (tag < 0x80) return value;
    if (tag < 0x90) value.kind = MAP, value.size = tag & 15;
    else if (tag < 0xA0) value.kind = LIST, value.size = tag & 15;
    else if (tag < 0xC0) value.kind = STRING, value.size = tag & 31;
    else if (tag == 0xDB) value.kind = STRING, value.size = (u32)big(4);
    else if (tag == 0xCF) value.bits = big(8), value.kind = value.bits >> 63 ? HUGE : INTEGER;
    else if (tag == 0xD3) value.bits = big(8);
    else if (tag == 0xCB) value.kind = FLOAT, value.bits = big(8);
    else if (tag == 0xDE) value.kind = MAP, value.size = (u32)big(2);
    else if (tag == 0xDF) value.kind = MAP, value.size = (u32)big(4);
    else if (tag == 0xDD) value.kind = LIST, value.size = (u32)big(4);
    else if (tag == 0xC2 || tag == 0xC3) value.kind = BOOLEAN, value.bits = tag & 1;
    else if (tag == 0xC0) value.kind = NIL;
    else refused = 1;
    if (value.size > (u32)(end - at)) refused = 1, value.size = 0;
    if (value.kind == STRING) value.text = at, at += value.size;
    return value;
}

/* Moves behind the members of a list or map. */
static void pass(Value value, u32 depth) {
    if (depth > DEEPEST) refused = 1;
    u32 left = value.kind == LIST ? value.size : value.kind == MAP ? 2 * value.size : 0;
    while (left-- && !refused) pass(head(), depth + 1);
}

static u32 is_named(u32 number, Value key) {
    const u8 *one = (const u8 *)nodes[number].key, *other = key.text;
    u32 left = key.size;
    if (nodes[number].length != left) return 0;
    for (; left >= 8; left -= 8, one += 8, other += 8)
        if (load(one) != load(other)) return 0;
    return !left || !((load(one) ^ load(other)) << (64 - 8 * left));
}

/* Returns the field of `parent` with this key; it is most likely `expected`. */
static u32 node_of(u32 parent, Value key, u32 expected) {
    if (expected && is_named(expected, key)) return expected;
    u32 *link = &nodes[parent].child;
    for (; *link; link = &nodes[*link].next)
        if (is_named(*link, key)) return *link;
    if (count == MOST_NODES || (u64)count * rows > MOST_CELLS) return refused = 1, 0;
    nodes[count] = (Node){.key = (u32)key.text, .length = key.size, .parent = parent, .at = (u32 *)take_zeros(4 * rows)};
    return *link = count++;
}

static void read_object(u32 parent, u32 members, u32 depth) {
    u32 expected = nodes[parent].child;
    while (members-- && !refused) {
        Value key = head();
        u32 number = key.kind == STRING ? node_of(parent, key, expected) : 0;
        Node *node = &nodes[number];
        if (!number || depth > DEEPEST || node->at[row]) {
            refused = 1;
            return;
        }
        const u8 *begin = at;
        Value value = head();
        node->at[row] = (u32)begin, expected = node->next;
        if (value.kind == MAP && value.size) {
            node->kinds |= OBJECT;
            read_object(number, value.size, depth + 1);
            continue;
        }
        node->kinds |= value.kind, node->count++;
        pass(value, depth + 1);
        node->bytes += (u32)(at - begin);
    }
}

/* ---- writing ---- */

static u8 *copied(u8 *out, const u8 *from, u32 size) {
    if (size > SHORT) __builtin_memcpy(out, from, size);
    else
        for (u32 i = 0; i < size; i += 8) {
            u64 word = load(from + i);
            __builtin_memcpy(out + i, &word, 8);
        }
    return out + size;
}

static void mark(u8 *bits) { bits[row >> 3] |= (u8)(1u << (row & 7)); }

/* Writes the column of a field whose values are of one kind. */
static void write_alike(Node *node) {
    u32 *ends = 0, wide = node->kinds == BOOLEAN ? (rows + 7) / 8 : node->kinds == STRING ? 4 * (rows + 1) : 8 * rows;
    u8 *valid = node->count < rows ? (u8 *)(node->valid = take_zeros((rows + 7) / 8)) : 0, *out = 0;
    u64 *numbers = (u64 *)(node->values = take_zeros(node->values_size = wide));
    if (node->kinds == STRING) ends = (u32 *)numbers, out = (u8 *)(node->texts = take(node->bytes + 8));
    for (row = 0; row < rows; row++) {
        if ((at = (const u8 *)node->at[row])) {
            Value value = head();
            if (valid) mark(valid);
            if (ends) out = copied(out, value.text, value.size);
            else if (node->kinds != BOOLEAN) numbers[row] = value.bits;
            else if (value.bits) mark((u8 *)numbers);
        }
        if (ends) ends[row + 1] = (u32)out - node->texts;
    }
    if (ends) node->texts_size = (u32)out - node->texts;
}

/* Writes the values of a field as an array in MessagePack; `valid` says of which rows they are. */
static void write_any(Node *node) {
    u8 *valid = (u8 *)(node->valid = take_zeros((rows + 7) / 8)), *out = (u8 *)(node->texts = take(node->bytes + 13));
    *out++ = 0xDD;
    for (u32 shift = 32; shift;) *out++ = (u8)(node->count >> (shift -= 8));
    for (row = 0; row < rows; row++) {
        const u8 *begin = at = (const u8 *)node->at[row];
        if (!at) continue;
        Value value = head();
        if (value.kind == MAP && value.size) continue;
        pass(value, 0);
        mark(valid), out = copied(out, begin, (u32)(at - begin));
    }
    node->texts_size = (u32)out - node->texts;
}

/* Returns where `size` bytes of records are to be put. */
EXPORT(room) u32 room(u32 size) {
    top = (u32)&__heap_base;
    return take((u64)size + BEYOND);
}

/* Lays out the records that were put there; returns where `made` is, 0 when they are refused or none. The first field is
 * the record itself; the buffers of the others are between `start` and `stop`. */
EXPORT(lay_out) u32 lay_out(const u8 *records, u32 size) {
    at = records, end = records + size, refused = 0, count = 1, rows = 0;
    nodes[0] = (Node){0};
    Value all = head();
    if (all.kind != LIST) return 0;
    rows = all.size;
    for (row = 0; row < rows && !refused; row++) {
        Value record = head();
        if (record.kind != MAP) return 0;
        read_object(0, record.size, 1);
    }
    if (refused || at != end || !rows) return 0;
    made.fields = count, made.rows = rows, made.table = (u32)nodes, made.start = take(0);
    for (u32 number = 1; number < count; number++) {
        Node *node = &nodes[number];
        u32 alike = node->kinds == STRING || node->kinds == INTEGER || node->kinds == FLOAT || node->kinds == BOOLEAN;
        if (alike) write_alike(node);
        else if (node->count) write_any(node);
    }
    made.stop = take(0);
    return (u32)&made;
}
