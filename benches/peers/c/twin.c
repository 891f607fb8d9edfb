/*
 * The crate's own encapsulation and decapsulation, with the same checks in the same order, as somebody would write
 * them in C: the honest limit of the language. VXLAN over IPv4 behind Ethernet; what the traffic of the benchmark
 * does not have (tags, options, extension headers, UDP checksums) is checked for, and done out of line.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define NOINLINE __attribute__((noinline, cold))

struct packet {
    uint8_t *buffer;
    size_t size, head, tail;
};

struct remote {
    uint16_t ipv4_sum, udp_sum;
    uint16_t max_inner;
    uint8_t ip, l3, tunnel, auto_ttl, ds_field, header_len;
    uint8_t header[128];
};

struct endpoint {
    uint64_t keys[4];
    uint32_t local; /* as it stands in the packet */
    uint16_t port_min, port_max, port;
    uint8_t ecn_mode, varies, udp_checksum, group_policy;
    uint64_t fatal, reserved_bits;
};

struct meta {
    uint32_t hash, has_hash;
    uint32_t vni, has_vni;
    uint32_t inner_checksum, start, offset;
};

struct plan {
    const struct remote *remote;
    struct meta meta;
};

enum { OK, HEADROOM, TRUNCATED, TOO_LONG, PARTIAL, UNSUPPORTED };

static inline uint16_t be16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return __builtin_bswap16(v); }
static inline void put16(uint8_t *p, uint16_t v) { v = __builtin_bswap16(v); memcpy(p, &v, 2); }
static inline uint32_t ne32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static inline uint64_t ne64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }

/* ------------------------------------------------------------------------------------------------ the inner packet */

struct peek {
    size_t l3;
    uint16_t ethertype;
    uint8_t version, ds_field;
    bool tagged;
};

static inline bool is_vlan(uint16_t type) { return type == 0x8100 || type == 0x88a8 || type == 0x9100; }

static inline bool look(const uint8_t *frame, size_t len, struct peek *p)
{
    size_t have = len - p->l3;
    const uint8_t *ip = frame + p->l3;
    if (p->ethertype == 0x0800) {
        if (have < 20) return false;
        if (ip[0] >> 4 == 4) { p->version = 4; p->ds_field = ip[1]; }
    } else if (p->ethertype == 0x86dd) {
        if (have < 40) return false;
        if (ip[0] >> 4 == 6) { p->version = 6; p->ds_field = (uint8_t)(ip[0] << 4 | ip[1] >> 4); }
    }
    return true;
}

static NOINLINE bool look_behind_tags(const uint8_t *frame, size_t len, struct peek *p)
{
    p->tagged = true;
    for (int tags = 0; is_vlan(p->ethertype); tags++) {
        if (tags == 4 || len - p->l3 < 4) { p->l3 = 14; p->ethertype = be16(frame + 12); return true; }
        p->ethertype = be16(frame + p->l3 + 2);
        p->l3 += 4;
    }
    return look(frame, len, p);
}

static inline bool peek_frame(const uint8_t *frame, size_t len, struct peek *p)
{
    if (UNLIKELY(len < 14)) return false;
    *p = (struct peek){ .l3 = 14, .ethertype = be16(frame + 12) };
    if (UNLIKELY(is_vlan(p->ethertype))) return look_behind_tags(frame, len, p);
    return look(frame, len, p);
}

/* --------------------------------------------------------------------------------------------------- the flow hash */

static inline uint64_t mix(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint32_t join(const uint64_t *k, uint64_t a, uint64_t b)
{
    return (uint32_t)(mix(a ^ k[0], b ^ k[1]) * k[2] >> 32);
}

static inline uint32_t ports(uint8_t protocol, const uint8_t *bytes, size_t len, size_t at)
{
    if (protocol != 6 && protocol != 17 && protocol != 132) return 0;
    return len >= at + 4 ? ne32(bytes + at) : 0;
}

static NOINLINE uint32_t behind_extensions(uint8_t *next, const uint8_t *bytes, size_t len)
{
    bool fragment = false;
    size_t at = 0;
    while (*next == 0 || *next == 43 || *next == 60 || *next == 44 || *next == 51) {
        if (len - at < 8) return 0;
        size_t size = *next == 44 ? 8 : *next == 51 ? 4 * (size_t)(bytes[at + 1] + 2) : 8 * (size_t)(bytes[at + 1] + 1);
        if (*next == 44 && (be16(bytes + at + 2) & 0xfff9) != 0) fragment = true;
        if (len - at < size) return 0;
        *next = bytes[at];
        at += size;
    }
    return fragment ? 0 : ports(*next, bytes + at, len - at, 0);
}

static inline uint32_t hash_bytes(const uint64_t *k, const uint8_t *bytes, size_t len)
{
    uint64_t state = k[2] ^ len;
    for (size_t at = 0; at < len; at += 16) {
        uint8_t padded[16] = { 0 };
        memcpy(padded, bytes + at, len - at < 16 ? len - at : 16);
        state = mix(ne64(padded) ^ k[0] ^ state, ne64(padded + 8) ^ k[1]);
    }
    return join(k, state, 0);
}

static inline uint32_t flow_hash(const uint64_t *k, const uint8_t *packet, size_t len, const struct peek *p)
{
    const uint8_t *ip = packet + p->l3;
    size_t have = len - p->l3;
    if (LIKELY(p->version == 4)) {
        bool fragment = (be16(ip + 6) & 0x3fff) != 0;
        uint32_t pp = fragment ? 0 : ports(ip[9], ip, have, (size_t)(ip[0] & 15) * 4);
        return join(k, ne64(ip + 12), (uint64_t)ip[9] << 32 | pp);
    }
    if (p->version == 6) {
        uint8_t next = ip[6];
        uint32_t pp = next == 0 || next == 43 || next == 44 || next == 51 || next == 60
            ? behind_extensions(&next, ip + 40, have - 40)
            : ports(next, ip + 40, have - 40, 0);
        uint64_t low = mix(ne64(ip + 24) ^ k[2], ne64(ip + 32) ^ k[3]);
        return join(k, mix(ne64(ip + 8) ^ k[0], ne64(ip + 16) ^ k[1]) ^ (low << 32 | low >> 32), (uint64_t)next << 32 | pp);
    }
    return hash_bytes(k, packet, p->l3);
}

uint32_t twin_flow_hash(const uint64_t *keys, const uint8_t *frame, size_t len)
{
    struct peek p;
    return peek_frame(frame, len, &p) ? flow_hash(keys, frame, len, &p) : 0;
}

/* -------------------------------------------------------------------------------------------------- encapsulation */

static inline uint16_t fold(uint32_t sum)
{
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t)((sum >> 16) + (sum & 0xffff));
}

static inline uint8_t outer_ecn(uint8_t mode, uint8_t inner)
{
    if (mode == 1) return 0;
    return mode == 2 && inner == 3 ? 2 : inner;
}

static inline int encap_one(const struct endpoint *e, struct packet *p, const struct remote *r, const struct meta *m)
{
    size_t need = r->header_len;
    if (UNLIKELY(p->head < need || p->tail > p->size || p->tail < p->head)) return HEADROOM;
    uint8_t *room = p->buffer + p->head - need;
    const uint8_t *frame = p->buffer + p->head;
    size_t len = p->tail - p->head;
    struct peek peek;
    if (UNLIKELY(!peek_frame(frame, len, &peek))) return TRUNCATED;
    if (UNLIKELY(len > r->max_inner)) return TOO_LONG;
    if (UNLIKELY(m->inner_checksum == 2 && (size_t)m->start + m->offset + 2 > len)) return PARTIAL;
    if (UNLIKELY(e->varies || e->udp_checksum || e->group_policy || r->ip != 4)) return UNSUPPORTED;
    uint32_t hash = m->has_hash ? m->hash : flow_hash(e->keys, frame, len, &peek);

    if (LIKELY(need >= 32 && need <= 64)) {
        uint8_t head[32], tail[32];
        memcpy(head, r->header, 32);
        memcpy(tail, r->header + need - 32, 32);
        memcpy(room, head, 32);
        memcpy(room + need - 32, tail, 32);
    } else {
        memcpy(room, r->header, need);
    }
    uint8_t *ip = room + r->l3;
    if (m->has_vni) {
        uint32_t vni = __builtin_bswap32(m->vni << 8);
        memcpy(room + r->tunnel + 4, &vni, 3);
    }
    uint16_t udp_len = (uint16_t)(need - r->l3 - 20 + len);
    uint16_t total_len = (uint16_t)(udp_len + 20);
    uint8_t ecn = outer_ecn(e->ecn_mode, peek.ds_field & 3);
    ip[1] = r->ds_field | ecn;
    put16(ip + 2, total_len);
    put16(ip + 10, (uint16_t)~fold((uint32_t)r->ipv4_sum + total_len + ecn));
    uint64_t span = (uint64_t)(e->port_max - e->port_min) + 1;
    put16(ip + 20, (uint16_t)(e->port_min + (uint16_t)((hash * span) >> 32)));
    put16(ip + 24, udp_len);
    p->head -= need;
    return OK;
}

size_t twin_encap(const struct endpoint *e, struct packet *packets, const struct plan *plan, uint8_t *results, size_t n)
{
    size_t good = 0;
    for (size_t i = 0; i < n; i++) {
        results[i] = (uint8_t)encap_one(e, &packets[i], plan[i].remote, &plan[i].meta);
        good += results[i] == OK;
    }
    return good;
}

/* -------------------------------------------------------------------------------------------------- decapsulation */

struct inner {
    uint64_t vxlan;
    uint32_t source, destination;
    uint16_t source_port, destination_port;
    uint16_t protocol, vlan;
    uint8_t ttl, ds_field, udp_checksum, reason;
    uint32_t stripped;
};

struct known {
    uint8_t has_outer, udp_checksum_verified;
};

/* In the order of the checks. */
enum reason {
    NONE, ETHERNET, NOT_IP, IPV4_TRUNCATED, IPV4_VERSION, IPV4_HEADER_LENGTH, IPV4_TOTAL_LENGTH, IPV4_CHECKSUM, MARTIAN_SOURCE,
    OTHER_DESTINATION, FRAGMENT, OTHER_PROTOCOL, UDP_TRUNCATED, UDP_LENGTH, OTHER_PORT, UDP_CHECKSUM,
    VXLAN_TRUNCATED, NO_VNI, RESERVED, INNER_TRUNCATED, INNER_VLAN, INNER_ECN, UNKNOWN_VNI, SOCKET,
};

/* Whether a header adds up: whether its sum is a multiple of 2^16 - 1, but not zero. */
static inline bool is_good20(const uint8_t *p)
{
    const uint64_t ones = 0x0001000100010001;
    uint64_t sum = ne32(p), word = ne64(p + 4), last = ne64(p + 12);
    sum += (uint32_t)word + (word >> 32) + (uint32_t)last + (last >> 32);
    return sum * ones >= -ones;
}

static NOINLINE uint16_t sum_any(const uint8_t *p, size_t len, uint64_t sum)
{
    for (; len >= 4; p += 4, len -= 4) sum += ne32(p);
    uint8_t rest[4] = { 0 };
    memcpy(rest, p, len);
    sum += ne32(rest);
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 32) + (sum & 0xffffffff);
    return fold((uint32_t)sum);
}

static NOINLINE bool udp_sum_is_good(const uint8_t *ip, const uint8_t *datagram, size_t len)
{
    uint64_t pseudo = (uint64_t)ne32(ip + 12) + ne32(ip + 16) + __builtin_bswap16(17) + __builtin_bswap16((uint16_t)len);
    return sum_any(datagram, len, pseudo) == 0xffff;
}

static NOINLINE bool skip_tags(const uint8_t *frame, size_t len, size_t *l3, uint16_t *type, uint16_t *vlan)
{
    *vlan = (be16(frame + 14) & 0x0fff) | 0x8000;
    for (int tags = 0; is_vlan(*type); tags++) {
        if (tags == 4 || len - *l3 < 4) return false;
        *type = be16(frame + *l3 + 2);
        *l3 += 4;
    }
    return true;
}

static NOINLINE void mark(uint8_t *frame, const struct peek *p, uint8_t ecn)
{
    uint8_t *ip = frame + p->l3;
    if (p->version == 4) {
        uint16_t old = be16(ip);
        ip[1] = (uint8_t)((ip[1] & ~3) | ecn);
        put16(ip + 10, (uint16_t)~fold((uint32_t)(uint16_t)~be16(ip + 10) + (uint16_t)~old + be16(ip)));
    } else {
        ip[1] = (uint8_t)((ip[1] & 0xcf) | ecn << 4);
    }
}

#define SEE(condition, reason) (seen |= (uint64_t)(condition) << (reason))

/* A bit for each pair of an outer and an inner code point, where the inner one stays as it is. */
#define KEPT 0x8fbfu

/* What most packets are, looked at as the crate does before it reads header by header; little endian. */
static inline bool glance(const struct endpoint *e, struct packet *p, const struct known *meta, struct inner *out)
{
    uint8_t *frame = p->buffer + p->head;
    size_t len = p->tail - p->head;
    if (UNLIKELY(meta->has_outer || p->tail < p->head || p->tail > p->size || len < 88)) return false;
    if (UNLIKELY(be16(frame + 12) != 0x0800)) return false;
    const uint8_t *ip = frame + 14, *udp = ip + 20, *inner = ip + 36;
    uint64_t a = ne64(ip), b = ne64(ip + 8), c = ne64(ip + 16);
    uint64_t ends = (uint64_t)e->local | (uint64_t)__builtin_bswap16(e->port) << 48;
    if (UNLIKELY(((a & 0xff3f0000000000ff) ^ 0x45) | ((b & 0xff00) ^ 0x1100) | ((c & 0xffff0000ffffffff) ^ ends))) return false;
    uint32_t source = (uint32_t)(b >> 32), host = __builtin_bswap32(source);
    if (UNLIKELY(host - 1 >= 0xdfffffff || host >> 24 == 127 || source == e->local)) return false;
    if (UNLIKELY(!is_good20(ip))) return false;
    size_t total_len = be16(ip + 2);
    if (UNLIKELY(total_len < 74 || total_len > len - 14 || be16(udp + 4) != total_len - 20)) return false;
    uint8_t state = 0;
    if (UNLIKELY(be16(udp + 6) != 0)) {
        state = 1;
        if (!meta->udp_checksum_verified && !udp_sum_is_good(ip, udp, total_len - 20)) return false;
    }
    uint64_t vxlan = __builtin_bswap64(ne64(udp + 8));
    if (UNLIKELY(!(vxlan >> 56 & 8) || (vxlan & ~0x08000000ffffff00ull & e->reserved_bits))) return false;
    uint32_t word = __builtin_bswap32(ne32(inner + 12));
    uint16_t type = (uint16_t)(word >> 16);
    uint8_t ecn = 0;
    if (LIKELY((word & 0xffffff00) == 0x08004500)) {
        ecn = word & 3;
    } else if (type == 0x86dd) {
        if ((word & 0xf000) != 0x6000 || total_len < 90) return false;
        ecn = word >> 4 & 3;
    } else if (type == 0x0800 || is_vlan(type)) {
        return false;
    }
    if (UNLIKELY(!(KEPT >> (ecn | (ip[1] & 3) << 2) & 1))) return false;
    *out = (struct inner){
        .vxlan = vxlan, .source = source, .destination = e->local, .source_port = be16(udp), .destination_port = e->port,
        .protocol = 0x6558, .ttl = ip[8], .ds_field = ip[1], .udp_checksum = state, .reason = NONE, .stripped = 50,
    };
    p->tail = p->head + 14 + total_len;
    p->head += 50;
    return true;
}

static inline enum reason decap_one(
    const struct endpoint *e, struct packet *p, const struct known *meta, struct inner *out)
{
    uint8_t *frame = p->buffer + p->head;
    size_t len = p->tail - p->head, l3 = 14;
    uint64_t seen = 0;
    if (UNLIKELY(meta->has_outer)) return SOCKET;
    if (UNLIKELY(len < 14)) return ETHERNET;
    uint16_t type = be16(frame + 12), vlan = 0;
    if (UNLIKELY(is_vlan(type)) && (len < 18 || !skip_tags(frame, len, &l3, &type, &vlan))) return ETHERNET;
    if (UNLIKELY(type != 0x0800)) return NOT_IP;
    const uint8_t *ip = frame + l3;
    size_t have = len - l3;
    if (UNLIKELY(have < 20)) return IPV4_TRUNCATED;
    if (UNLIKELY(ip[0] >> 4 != 4)) return IPV4_VERSION;
    size_t ihl = (size_t)(ip[0] & 15) * 4, total_len = be16(ip + 2);
    if (UNLIKELY(ihl < 20)) return IPV4_HEADER_LENGTH;
    if (UNLIKELY(total_len < ihl)) return IPV4_TOTAL_LENGTH;
    if (UNLIKELY(ihl > have)) return IPV4_TRUNCATED;
    SEE(!(ihl == 20 ? is_good20(ip) : sum_any(ip, ihl, 0) == 0xffff), IPV4_CHECKSUM);
    SEE(total_len > have, IPV4_TOTAL_LENGTH);
    if (total_len > have) total_len = have;
    uint32_t source = ne32(ip + 12), destination = ne32(ip + 16);
    SEE(source == 0 || (ip[12] & 0xf0) == 0xe0 || source == 0xffffffff || (ip[12] == 127 && ip[16] != 127)
        || source == e->local, MARTIAN_SOURCE);
    SEE(destination != e->local && (ip[16] & 0xf0) != 0xe0, OTHER_DESTINATION);
    uint16_t fragment = be16(ip + 6);
    SEE(fragment & 0x3fff ? 1 : 0, FRAGMENT);
    enum reason stop = NONE;
    if (UNLIKELY(ip[9] != 17)) { stop = OTHER_PROTOCOL; goto refuse; }
    if (UNLIKELY(fragment & 0x1fff)) { stop = FRAGMENT; goto refuse; }

    const uint8_t *udp = ip + ihl;
    size_t left = total_len - ihl;
    if (UNLIKELY(left < 8)) { stop = UDP_TRUNCATED; goto refuse; }
    size_t udp_len = be16(udp + 4);
    if (UNLIKELY(udp_len > left)) { SEE(1, UDP_LENGTH); udp_len = left; }
    else if (UNLIKELY(udp_len < 8)) { stop = UDP_LENGTH; goto refuse; }
    uint16_t port = be16(udp + 2);
    if (UNLIKELY(port != e->port)) { stop = OTHER_PORT; goto refuse; }
    uint8_t state = 0;
    if (UNLIKELY(be16(udp + 6) != 0)) {
        state = meta->udp_checksum_verified || udp_sum_is_good(ip, udp, udp_len) ? 1 : 2;
        SEE(state == 2, UDP_CHECKSUM);
    }
    if (UNLIKELY(udp_len < 16)) { stop = VXLAN_TRUNCATED; goto refuse; }
    uint64_t vxlan = __builtin_bswap64(ne64(udp + 8));
    SEE(!(vxlan >> 56 & 8), NO_VNI);
    SEE((vxlan & ~0x08000000ffffff00ull & e->reserved_bits) != 0, RESERVED);

    uint8_t *inner = frame + l3 + ihl + 16;
    size_t inner_len = udp_len - 16;
    struct peek peek;
    if (UNLIKELY(!peek_frame(inner, inner_len, &peek))) { stop = INNER_TRUNCATED; goto refuse; }
    SEE(peek.tagged, INNER_VLAN);
    uint8_t was = peek.ds_field & 3, outer = ip[1] & 3, ecn = was;
    if (peek.version) {
        if (outer == 3) { SEE(was == 0, INNER_ECN); ecn = 3; }
        else if (outer == 1 && was == 2) ecn = 1;
    }
    if (UNLIKELY(seen & e->fatal)) goto refuse;

    *out = (struct inner){
        .vxlan = vxlan, .source = source, .destination = destination, .source_port = be16(udp), .destination_port = port,
        .protocol = 0x6558, .vlan = vlan, .ttl = ip[8], .ds_field = ip[1], .udp_checksum = state, .reason = NONE,
        .stripped = (uint32_t)(inner - frame),
    };
    p->head += out->stripped;
    p->tail = p->head + inner_len;
    if (UNLIKELY(ecn != was)) mark(inner, &peek, ecn);
    return NONE;

refuse:
    seen = (seen & e->fatal) | (stop ? 1ull << stop : 0);
    return (enum reason)__builtin_ctzll(seen);
}

size_t twin_decap(
    const struct endpoint *e, struct packet *packets, const struct known *metas, struct inner *results,
    const uint64_t *vnis, size_t n)
{
    size_t good = 0;
    for (size_t i = 0; i < n; i++) {
        if (UNLIKELY(!glance(e, &packets[i], &metas[i], &results[i])))
            results[i].reason = (uint8_t)decap_one(e, &packets[i], &metas[i], &results[i]);
        uint32_t vni = (uint32_t)(results[i].vxlan >> 8) & 0xffffff;
        good += results[i].reason == NONE && (vnis[vni >> 6] >> (vni & 63) & 1);
    }
    return good;
}
