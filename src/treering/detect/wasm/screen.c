/* Decides which texts of a column need a closer look by detectors: one pass over the bytes, for all of them at once.
 *
 * A text that is passed over cannot hold a phrase, an encoding, a disguise or a secret that `_phrases.py`, `textview`
 * and `parse/sensitive` would find; one that is not passed over may hold none. `screen.py` makes the tables: an
 * automaton (Aho and Corasick 1975) over all literals, how characters are folded, which rules need what.
 *
 * JSON is read as it stands: escapes are undone, quotes and brackets are characters like others. Freestanding C; all
 * memory is what `reserve` cuts from WebAssembly's linear memory.
 *
 * Build, here with Zig's clang, which comes as a Python package (ziglang 0.17.1):
 *   python -m ziglang cc -target wasm32-freestanding -O3 -nostdlib -Wall -Wextra -Wl,--no-entry -Wl,--strip-all \
 *     -o screen.wasm screen.c && sha256sum screen.c > screen.c.sha256
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define EXPORT(name) __attribute__((export_name(#name)))
#define PAGE 65536u
#define WORDS 2u       /* 64-bit words of a set of rules */
#define BLOCK 512u     /* characters; what a rule needs stands in one block or two neighbouring ones */
#define LONG 16u       /* characters without a break from which they may be an encoding */
#define FEW_DIGITS 8u  /* digits from which numbers may be one */
#define CARD_DIGITS 13u
#define NAME_REACH 20u
#define NEAR_REACH 100u /* characters in which the number after a word such as "phone" has to be */
#define NEAR_DIGITS 4u
#define FAR_DIGITS 6u  /* digits of a text with a word such as "passport" */
#define PHONE_DIGITS 8u
#define NOTHING 0xffffffffu
#define PAGES 0x1100u /* pages of 256 characters */
#define ASKED 64u
#define UNKNOWN 1u

/* What is said of a text; `screen.py` has the same numbers. */
enum { USER = 1, OTHER = 2, SECRET = 4, LINK = 8, TAG = 16, SAID_USER = 32, SAID_TOOL = 64, SAID_SYSTEM = 128, ODD = 256, LEETED = 512, LIKELY = 1024 };
/* What has to stand around the literal of a secret. */
enum { NAMED = 1, RUN = 2, BEARER = 4, CARD = 8, IBAN = 16, NEAR = 32, FAR = 64, SIGN = 128 };
/* Kinds of bytes. */
enum { RUNS = 1, DIGIT = 2, LEET = 4, SLOW = 8, NAME = 16, HEX = 32, ALNUM = 64, TOKEN = 128 };

typedef struct {
    u64 near[WORDS], also[WORDS];
    u32 mark;
    u8 check, length, unused[2];
    u32 block, more; /* the block in which it was noted last */
} Out;

extern u8 __heap_base;
static u32 top;
static const u16 *next_state;
static Out *outs;
static const u8 *classes;
static u32 shift, first_out;
static u64 free_of[WORDS], of_user[WORDS], of_other[WORDS];
static u32 pages[PAGES];
static u32 asked[ASKED], asking; /* pages that were needed and are not known */
static u8 kinds[256];
static u16 plain_of[256];    /* class and, above it, kind of each byte */
static u8 leet[256];

/* A linear model of words and pairs of words says in passing which texts a closer look may be worth while for. */
#define SEED 0x811C9DC5u
#define LIMITS 2u /* for texts of people, and of others */
static const signed char *likely; /* weights, 0 when there are none */
static u32 likely_mask, word_before, *listed, listing;
static int limits[LIMITS], sum, highest;

static u64 near[2][WORDS], also[2][WORDS]; /* of this block and the one before */
static u32 flags, digits, wanted, beyond, block = 1;

/* Returns the place of new memory, 16 bytes aligned, 0 when there is no more. */
EXPORT(reserve) u32 reserve(u32 size)
{
    if (!top) top = ((u32)&__heap_base + 15u) & ~15u;
    u64 end = (u64)top + ((size + 15u) & ~15u);
    u64 have = (u64)__builtin_wasm_memory_size(0) * PAGE;
    if (end > have && __builtin_wasm_memory_grow(0, (u32)((end - have + PAGE - 1) / PAGE)) == (__SIZE_TYPE__)-1) return 0;
    u32 place = top;
    top = (u32)end;
    return place;
}

static void set(const char *characters, u32 kind)
{
    for (; *characters; characters++) kinds[(u8)*characters] |= (u8)kind;
}

/* Takes the tables; `masks` are three sets: rules that need nothing more, rules of users, rules of others. */
EXPORT(begin) void begin(const u16 *next, const u8 *of, Out *out, u32 stride, u32 first, const u64 *masks)
{
    next_state = next, classes = of, outs = out, shift = stride, first_out = first;
    for (u32 w = 0; w < WORDS; w++)
        free_of[w] = masks[w], of_user[w] = masks[WORDS + w], of_other[w] = masks[2 * WORDS + w];
    for (u32 c = 0; c < 256; c++) {
        u32 letter = (c | 32u) - 'a' < 26u, digit = c - '0' < 10u;
        kinds[c] = (u8)(letter || digit ? RUNS | NAME | ALNUM | TOKEN : c >= 128 ? SLOW : 0);
        if (digit) kinds[c] |= DIGIT | HEX;
        if ((c | 32u) - 'a' < 6u) kinds[c] |= HEX;
        leet[c] = (u8)c;
    }
    set("+/_-", RUNS), set("_-", NAME), set("_-.~+/", TOKEN), set("%&\\", SLOW);
    const char *from = "0134567892@$!|+(", *to = "oieasgtbgzasiltc";
    for (u32 at = 0; from[at]; at++) leet[(u8)from[at]] = (u8)to[at], kinds[(u8)from[at]] |= LEET;
    for (u32 c = 0; c < 256; c++) plain_of[c] = (u16)(kinds[c] << 8 | classes[c]);
}

/* Takes how the 256 characters of a page are read: for each the place of a length and that many bytes. */
EXPORT(add_page) void add_page(u32 number, u32 place) { if (number < PAGES) pages[number] = place; }

/* Takes the weights of the linear model, a power of two of them, and from which sums on a text is flagged. */
EXPORT(weigh) void weigh(const signed char *weights, u32 number, u32 of_users, u32 of_others)
{
    likely = weights, likely_mask = number - 1;
    limits[0] = (int)of_users, limits[1] = (int)of_others;
}

static u32 stir(u32 value)
{
    value ^= value >> 16, value *= 0x85EBCA6Bu;
    value ^= value >> 13, value *= 0xC2B2AE35u;
    return value ^ (value >> 16);
}

/* Adds a word: what counts is the stretch of words with the highest sum (Kadane's, Bentley 1984). */
static void weigh_word(u32 word)
{
    if (!likely_mask) return;
    u32 one = stir(word) & likely_mask, two = stir(word_before * 0x9E3779B1u + word) & likely_mask;
    word_before = word;
    if (listed) { listed[listing++] = one, listed[listing++] = two; return; }
    sum += likely[one] + likely[two];
    if (sum < 0) sum = 0;
    if (sum > highest) highest = sum;
}

static u32 hex(u32 c) { return c - '0' < 10u ? c - '0' : (c | 32u) - 'a' < 6u ? (c | 32u) - 'a' + 10 : 16; }

/* Whether bytes could be a text that a person wrote: UTF-8 (it may end within a character), letters in it. */
static u32 is_text(const u8 *bytes, u32 size, u32 whole)
{
    if (size >= 2 && ((bytes[0] == 0xff && bytes[1] == 0xfe) || (bytes[0] == 0xfe && bytes[1] == 0xff))) return 1;
    u32 letters = 0, odd = 0, count = 0;
    for (u32 at = 0; at < size; count++) {
        u32 c = bytes[at], more = c < 0x80 ? 0 : c < 0xc2 ? 9 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : c < 0xf5 ? 3 : 9;
        if (more == 9) return 0;
        letters += more || (c | 32u) - 'a' < 26u;
        odd += (c < 32 && c != '\n' && c != '\r' && c != '\t') || c == 127;
        for (at++; more && at < size; more--, at++)
            if ((bytes[at] & 0xc0) != 0x80) return 0;
    }
    return !whole || size > 400 || (odd * 20 <= count && letters * 3 >= count);
}

static u8 read[4096];

static u32 of_base64(u32 c)
{
    return c - 'A' < 26u ? c - 'A' : c - 'a' < 26u ? c - 'a' + 26 : c - '0' < 10u ? c - '0' + 52 : c == '+' || c == '-' ? 62 : 63;
}

static u32 is_base64(const u8 *run, u32 size, u32 alone)
{
    u32 made = 0;
    for (u32 at = 0; at + 1 < size && made + 3 <= sizeof read; at += 4) {
        u32 left = size - at < 4 ? size - at : 4, bits = 0;
        for (u32 c = 0; c < 4; c++) bits = bits << 6 | (c < left ? of_base64(run[at + c]) : 0);
        for (u32 c = 0; c + 1 < left; c++) read[made++] = (u8)(bits >> (16 - 8 * c));
    }
    return is_text(read, made, alone && size < 512);
}

static u32 is_hex(const u8 *run, u32 size)
{
    if (size > 2 && run[0] == '0' && (run[1] | 32) == 'x') run += 2, size -= 2;
    if (size < LONG || size & 1) return 0;
    u32 made = 0;
    for (u32 at = 0; at < size && made < sizeof read; at += 2) {
        u32 high = hex(run[at]), low = hex(run[at + 1]);
        if (high > 15 || low > 15) return 0;
        read[made++] = (u8)(high << 4 | low);
    }
    return is_text(read, made, made < 400);
}

/* Whether a run of letters, digits and +/_- is an encoding of a text; `alone`: it does not go on on the next line. */
static u32 is_encoded(const u8 *run, u32 size, u32 alone)
{
    if (is_base64(run, size, alone)) return 1;
    u32 upper = 0;
    for (u32 at = 0, start = 0; at <= size; at++) {
        u32 c = at < size ? run[at] : 0;
        upper = c - 'A' < 26u || c - '2' < 6u ? upper + 1 : 0;
        if (upper >= 24) return 1;
        if (kinds[c] & ALNUM) continue;
        if (at - start >= LONG && is_hex(run + start, at - start)) return 1;
        start = at + 1;
    }
    return 0;
}

/* Whether there are many short numbers in a row: bytes as hexadecimal, decimal or binary numbers. */
static u32 is_numbers(const u8 *text, u32 size, u32 json)
{
    u32 hexes = 0, codes = 0, bits = 0, start = 0, gap = 0;
    for (u32 at = 0; at <= size; at++) {
        u32 c = at < size ? text[at] : 0;
        if (kinds[c] & ALNUM) {
            if (gap > 2) hexes = codes = bits = 0;
            gap = 0;
            continue;
        }
        if (at > start) {
            const u8 *token = text + start;
            u32 long_ = at - start, decimal = 1, binary = 1;
            u32 skip = long_ == 4 && token[0] == '0' && (token[1] | 32) == 'x' ? 2 : 0;
            for (u32 i = 0; i < long_; i++) decimal &= token[i] - '0' < 10u, binary &= token[i] - '0' < 2u;
            hexes = long_ - skip == 2 && hex(token[skip]) < 16 && hex(token[skip + 1]) < 16 ? hexes + 1 : 0;
            codes = decimal && (long_ == 2 || long_ == 3) ? codes + 1 : 0;
            bits = binary && long_ % 8 == 0 ? bits + long_ : 0;
            if (hexes >= 8 || codes >= 10 || bits >= 48) return 1;
        }
        if (json && c == '\\') at++, gap = 9; /* the letter after it is no part of a number */
        start = at + 1;
        gap = c == ' ' || c == ',' || c == ':' || c == ';' ? gap + 1 : 9;
    }
    return 0;
}

/* Says whether a word that begins at `start` is one of its own, as "Phone" in "homePhone" and not "dni" in "midnight". */
static u32 begins_word(const u8 *text, u32 start)
{
    if (!start || (kinds[text[start - 1]] & (ALNUM | DIGIT)) != ALNUM) return 1;
    return text[start] - 'A' < 26u && text[start - 1] - 'a' < 26u;
}

/* Says whether a short word ends at `end`, as "cf" in "cf: " and not in "cfg"; longer ones may go on. */
static u32 ends_word(const u8 *text, u32 size, u32 start, u32 end)
{
    if (end - start > 4 || end >= size || (kinds[text[end]] & (ALNUM | DIGIT)) != ALNUM || (text[end] | 32) == 's') return 1;
    return text[end] - 'A' < 26u && text[end - 1] - 'a' < 26u;
}

/* Says whether enough digits follow. An escape stands for a character, maybe for a digit. */
static u32 is_number_near(const u8 *text, u32 size, u32 at)
{
    u32 left = NEAR_REACH, found = 0;
    for (u32 most = at + 12u * NEAR_REACH; at < size && at < most && left; at++) {
        u32 c = text[at];
        if (kinds[c] & DIGIT && ++found == NEAR_DIGITS) return 1;
        if (c == '\\' && at + 3 < size && text[at + 1] == 'u' && text[at + 2] == '0' && text[at + 3] == '0') return 1;
        if (c == '\\') left += 10;
        left -= (c & 0xc0) != 0x80;
    }
    return 0;
}

/* Says whether an address or a telephone number may stand around the `@` or `+` before `end`. */
static u32 is_contact(const u8 *text, u32 size, u32 end, u32 json)
{
    u32 at = end, found = 0;
    if (at >= size || text[at] >= 128 || (json && text[at] == '\\')) return at < size;
    if (text[end - 1] == '@') {
        if (!(kinds[text[at]] & ALNUM) || (end > 1 && text[end - 2] <= ' ')) return 0;
        for (; at < size && at < end + 64; at++) {
            if (text[at] == '.' || text[at] >= 128 || text[at] == '\\') return 1;
            if (!(kinds[text[at]] & NAME)) return 0;
        }
        return at < size;
    }
    if (text[at] - '1' >= 9u) return 0;
    for (; at < size && at < end + 28; at++) {
        if (kinds[text[at]] & DIGIT && ++found == PHONE_DIGITS) return 1;
        if (text[at] == '\\' || text[at] >= 128) return 1;
        if (kinds[text[at]] & NAME && !(kinds[text[at]] & DIGIT) && text[at] != '-') return 0;
    }
    return 0;
}

/* Looks at what stands around the literal of a secret that ends at `end`; `slow`: where the last odd character ended. */
static void secret(const Out *out, const u8 *text, u32 size, u32 end, u32 slow, u32 json)
{
    if (out->check & CARD) wanted |= CARD;
    if (out->check & IBAN) wanted |= IBAN;
    if (slow == NOTHING) {
        if (out->check & (NAMED | RUN | BEARER | NEAR | SIGN)) flags |= SECRET;
        if (out->check & FAR) wanted |= FAR;
        return;
    }
    if (out->check & SIGN && is_contact(text, size, end, json)) flags |= SECRET;
    if (out->check & (NEAR | FAR)) {
        u32 start = end - out->length;
        if (end < out->length || start <= slow || (begins_word(text, start) && ends_word(text, size, start, end))) {
            if (out->check & FAR) wanted |= FAR;
            if (out->check & NEAR && is_number_near(text, size, end)) flags |= SECRET;
        }
    }
    if (out->check & NAMED)
        for (u32 at = end; at < size && at < end + NAME_REACH; at++)
            if (text[at] == ':' || text[at] == '=' || (json && text[at] == '\\' && at + 1 < size && text[at + 1] == 'u')) {
                flags |= SECRET;
                break;
            }
    if (out->check & RUN) {
        u32 start = end - out->length, at = start;
        if (end < out->length || start < slow) { flags |= SECRET; return; }
        if (start > slow && kinds[text[start - 1]] & NAME) return;
        while (at < size && at < start + LONG && kinds[text[at]] & TOKEN) at++;
        if (at == start + LONG || (json && at < size && text[at] == '\\')) flags |= SECRET;
    }
    if (out->check & BEARER) {
        u32 at = end;
        while (at < size && at < end + 10 && text[at] != '\\' && !(kinds[text[at]] & TOKEN)) at++;
        u32 start = at;
        while (at < size && at < start + LONG && kinds[text[at]] & TOKEN) at++;
        if (at == start + LONG || (at < size && text[at] == '\\')) flags |= SECRET;
    }
}

static void note(u32 state)
{
    Out *out = outs + (state - first_out);
    if (out->block == block) return;
    out->block = block;
    for (u32 w = 0; w < WORDS; w++) near[0][w] |= out->near[w], also[0][w] |= out->also[w];
}

static void turn(void)
{
    block++;
    for (u32 w = 0; w < WORDS; w++) {
        u64 met = (near[0][w] | near[1][w]) & (also[0][w] | also[1][w] | free_of[w]);
        if (met & of_user[w]) flags |= USER;
        if (met & of_other[w]) flags |= OTHER;
        near[1][w] = near[0][w], also[1][w] = also[0][w];
        near[0][w] = also[0][w] = 0;
    }
}

/* Reads a character of UTF-8 at `*at` and moves behind it. */
static u32 code_at(const u8 *text, u32 size, u32 *at)
{
    u32 c = text[*at], more = c < 0x80 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    u32 code = more == 0 ? c : more == 1 ? c & 31 : more == 2 ? c & 15 : c & 7;
    (*at)++;
    for (; more && *at < size; more--, (*at)++) code = code << 6 | (text[*at] & 63);
    return code;
}

/* Returns the length and the bytes that a character is read as, nothing when its page is not known. */
static const u8 *read_as(u32 code)
{
    u32 number = code >> 8;
    if (number >= PAGES) return 0;
    if (!pages[number] && asking < ASKED) pages[number] = UNKNOWN, asked[asking++] = number;
    if (pages[number] <= UNKNOWN) return 0;
    return (const u8 *)((const u32 *)pages[number])[code & 255];
}

static u32 four(const u8 *text)
{
    u32 code = 0;
    for (u32 at = 0; at < 4; at++) {
        u32 digit = hex(text[at]);
        if (digit > 15) return NOTHING;
        code = code << 4 | digit;
    }
    return code;
}

/* Undoes an escape of JSON at `*at` and moves behind it; NOTHING for what is none. */
static u32 unescaped(const u8 *text, u32 size, u32 *at)
{
    static const char *const from = "nrtbf\"\\/", *const to = "\n\r\t\b\f\"\\/";
    u32 c = *at + 1 < size ? text[*at + 1] : 0;
    if (c == 'u' && *at + 6 <= size) {
        u32 code = four(text + *at + 2);
        *at += 6;
        if (code - 0xd800u < 0x400u) {
            if (*at + 6 > size || text[*at] != '\\' || text[*at + 1] != 'u') return NOTHING;
            u32 low = four(text + *at + 2);
            if (low - 0xdc00u >= 0x400u) return NOTHING;
            *at += 6;
            return 0x10000 + ((code - 0xd800u) << 10) + (low - 0xdc00u);
        }
        return code - 0xdc00u < 0x400u ? NOTHING : code;
    }
    for (u32 i = 0; from[i]; i++)
        if (c == (u8)from[i]) return *at += 2, (u8)to[i];
    return NOTHING;
}

static u8 straight[1024];

/* Whether a run with characters beyond ASCII in it is an encoding, once they are read as what they look like. */
static u32 is_encoded_beyond(const u8 *text, u32 from, u32 to, u32 json)
{
    u32 made = 0;
    while (from < to) {
        u32 code = json && text[from] == '\\' ? unescaped(text, to, &from) : code_at(text, to, &from);
        u8 plain[2] = {1, (u8)code};
        const u8 *as = code < 128 ? plain : read_as(code);
        if (!as || made + as[0] > sizeof straight) return 1;
        for (u32 i = 1; i <= as[0]; i++) straight[made++] = as[i];
    }
    return made >= LONG && is_encoded(straight, made, 0);
}

/* Whether `%` and `&` begin an escape, and a backslash one of a programming language. */
static u32 begins_escape(const u8 *text, u32 size, u32 at)
{
    if (text[at] == '%') return at + 2 < size && hex(text[at + 1]) < 16 && hex(text[at + 2]) < 16;
    if (text[at] == '\\') return at + 1 < size && (text[at + 1] == 'u' || text[at + 1] == 'x');
    u32 i = at + 1;
    while (i < size && i < at + 34 && (text[i] == '#' || kinds[text[i]] & ALNUM)) i++;
    return i > at + 1 && i < size && text[i] == ';';
}

/* What is known while one text is read. */
typedef struct {
    const u8 *text;
    u32 size, json, at, state, twin, broken, slow, mixed, limit, inside, selectors, word;
} Reading;

static void ended(Reading *r, u32 state, u32 fast)
{
    const Out *out = outs + (state - first_out);
    note(state);
    flags |= out->mark;
    if (out->check) secret(out, r->text, r->size, r->at, fast ? r->slow : NOTHING, r->json);
}

/* Reads one byte of what a character is read as; digits and signs are read as letters beside it. */
static void step(Reading *r, u32 one, u32 as, u32 fast)
{
    u32 before = r->twin == NOTHING ? r->state : r->twin;
    r->state = next_state[r->state << shift | classes[one]];
    r->twin = as ? next_state[before << shift | classes[as]] : before;
    if (r->twin == r->state) r->twin = NOTHING;
    else if (r->twin >= first_out) {
        const Out *out = outs + (r->twin - first_out);
        for (u32 w = 0; w < WORDS; w++) flags |= out->near[w] ? LEETED : 0;
        note(r->twin);
    }
    u32 kind = kinds[one];
    digits += (kind & DIGIT) >> 1;
    if (one >= 128 || (kind & (ALNUM | DIGIT)) == ALNUM) r->word = (r->word ^ (one | (one < 128 ? 32 : 0))) * 0x01000193u;
    else if (r->word != SEED) weigh_word(r->word), r->word = SEED;
    if (r->state >= first_out) ended(r, r->state, fast);
}

/* Looks at the characters between two that end a run, and at the rules when a block is full. */
static void broken_at(Reading *r, u32 end, u32 next, u32 c)
{
    u32 size = end - r->broken;
    if (size >= LONG && (r->mixed > r->broken ? is_encoded_beyond(r->text, r->broken, end, r->json)
                                              : is_encoded(r->text + r->broken, size, c != '\n' && c != '\r')))
        flags |= ODD;
    r->broken = next;
    if (next >= r->limit) turn(), r->limit = next + BLOCK;
}

/* Reads one escape or character beyond ASCII; returns 0 for what is no JSON. */
static u32 odd_one(Reading *r)
{
    u32 from = r->at, code = r->text[from], chars = 0, single;
    if (r->json && code == '\\') {
        if (!r->inside || (code = unescaped(r->text, r->size, &r->at)) == NOTHING) return 0;
        if (code == '\\' && r->at < r->size && (r->text[r->at] == 'u' || r->text[r->at] == 'x')) flags |= ODD;
        if (code == '%' || code == '&') flags |= ODD;
        r->slow = r->at;
    } else if (code >= 128) {
        code = code_at(r->text, r->size, &r->at);
        r->slow = r->at, beyond = 1;
    } else {
        if (begins_escape(r->text, r->size, from)) flags |= ODD;
        r->at++;
    }
    u8 plain[2] = {1, (u8)code};
    const u8 *as = code < 128 ? plain : read_as(code);
    r->selectors = code - 0xfe00u < 16u ? r->selectors + 1 : 0;
    if (r->selectors >= 4 || code >= 0xe0000u || !as) flags |= ODD;
    if (!as) r->state = 0, r->twin = NOTHING;
    for (u32 i = 1; as && i <= as[0]; i++) {
        step(r, as[i], code == 0x20ac ? (i == 1 ? 'e' : 0) : leet[as[i]], from + 1 == r->at);
        chars += (as[i] & 0xc0) != 0x80;
    }
    if (r->at - from > chars) r->limit += r->at - from - chars;
    single = as && as[0] ? as[1] : 0;
    if (as && (!as[0] || (single < 128 && kinds[single] & RUNS))) r->mixed = r->at;
    else broken_at(r, from, r->at, single);
    return 1;
}

/* Looks at one text; returns 0 when it was to be JSON and is none. */
static u32 look(const u8 *text, u32 size, u32 json)
{
    const u16 *const next = next_state;
    const u32 wide = shift, first = first_out;
    Reading r = {text, size, json, 0, 0, NOTHING, 0, 0, 0, BLOCK, 0, 0, SEED};
    u32 state = 0, at = 0, quotes = 0, word = SEED;
    while (at < size) {
        u32 c = text[at], is = plain_of[c];
        quotes += c == '"';
        if (is & (SLOW | LEET) << 8 || r.twin != NOTHING) {
            r.state = state, r.at = at, r.inside = quotes & 1, r.word = word;
            if (is & SLOW << 8) {
                if (!odd_one(&r)) return 0;
            } else {
                r.at = at + 1;
                step(&r, c, leet[c], 1);
                if (!(is & RUNS << 8)) broken_at(&r, at, at + 1, c);
            }
            state = r.state, at = r.at, word = r.word;
            continue;
        }
        state = next[state << wide | (is & 255)];
        at++;
        if (is & ALNUM << 8) word = (word ^ (c | 32)) * 0x01000193u;
        else if (word != SEED) weigh_word(word), word = SEED;
        if (state >= first) r.at = at, ended(&r, state, 1);
        if (!(is & RUNS << 8) && (at - 1 - r.broken >= LONG || at >= r.limit)) broken_at(&r, at - 1, at, c);
        else if (!(is & RUNS << 8)) r.broken = at;
    }
    if (word != SEED) weigh_word(word);
    broken_at(&r, size, size, 0);
    return !json || !(quotes & 1);
}

/* What `screen` is to look at: `count` texts, each ends at one of `ends` and begins where the one before ends.
 *
 * `json`: whether every text is JSON; otherwise those that begin as a list or an object may be. */
typedef struct {
    const u8 *texts;
    const u32 *ends;
    u32 count, json;
    u16 *found;
} Task;

/* Says of each text what to look at; returns how many pages of characters it does not know. */
EXPORT(screen) u32 screen(const Task *task)
{
    asking = 0;
    for (u32 row = 0, start = 0; row < task->count; start = task->ends[row], row++) {
        const u8 *text = task->texts + start;
        u32 size = task->ends[row] - start;
        flags = digits = wanted = beyond = 0;
        if (size) {
            for (u32 w = 0; w < WORDS; w++) near[0][w] = also[0][w] = near[1][w] = also[1][w] = 0;
            u32 is_json = task->json || text[0] == '[' || text[0] == '{';
            sum = highest = 0, word_before = SEED;
            if (is_json) is_json = look(text, size, 1);
            if (!is_json) look(text, size, 0);
            turn();
            for (u32 l = 0; l < LIMITS; l++) if (likely_mask && highest > limits[l]) flags |= LIKELY << l;
            if (digits >= FEW_DIGITS && is_numbers(text, size, is_json)) flags |= ODD;
            if ((wanted & CARD && (digits >= CARD_DIGITS || beyond)) || (wanted & IBAN && (digits >= 2 || beyond)) ||
                (wanted & FAR && digits >= FAR_DIGITS))
                flags |= SECRET;
        }
        task->found[row] = (u16)flags;
    }
    return asking;
}

/* Writes the weights that the words of a text would be given by, in pairs; returns how many. To train with. */
EXPORT(list) u32 list(const u8 *text, u32 size, u32 *out)
{
    listed = out, listing = 0, word_before = SEED, asking = 0;
    u32 is_json = size && (text[0] == '[' || text[0] == '{');
    if (is_json) is_json = look(text, size, 1);
    if (!is_json) look(text, size, 0);
    listed = 0;
    return listing;
}

/* Returns how many pages of characters the last call of `screen` or `list` asked for. */
EXPORT(asked) u32 asked_for(void) { return asking; }

/* Returns where the numbers of the pages are that the last call of `screen` asked for. */
EXPORT(asked_pages) const u32 *asked_pages(void) { return asked; }
