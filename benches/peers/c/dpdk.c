/* DPDK's functions in loops, so that a call from Rust is paid for once per burst and not once per packet. */
#include <rte_byteorder.h>
#include <rte_eal.h>
#include <rte_ether.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_ip.h>
#include <rte_jhash.h>
#include <rte_memory.h>
#include <rte_udp.h>
#include <rte_vxlan.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static int advise(const struct rte_memseg_list *list, void *huge)
{
    (void)huge;
    return madvise(list->base_va, list->len, MADV_HUGEPAGE) == 0 ? 0 : -1;
}

int dpdk_init(const char *prefix, int huge)
{
    char name[64];
    snprintf(name, sizeof name, "--file-prefix=%s", prefix);
    char *arguments[] = { "peers", "--no-huge", "--no-pci", "-m", "1536", "--no-telemetry", "--no-shconf", name, "--log-level=4", NULL };
    int done = rte_eal_init(9, arguments);
    if (done >= 0 && huge) rte_memseg_list_walk(advise, NULL);
    return done;
}

/* ------------------------------------------------------------------------------------------------------- checksums */

void dpdk_raw_cksum(const uint8_t *const *packets, size_t len, uint16_t *sums, size_t n)
{
    for (size_t i = 0; i < n; i++) sums[i] = rte_raw_cksum(packets[i], len);
}

void dpdk_ipv4_cksum(const uint8_t *const *packets, uint16_t *sums, size_t n)
{
    for (size_t i = 0; i < n; i++) sums[i] = rte_ipv4_cksum((const struct rte_ipv4_hdr *)packets[i]);
}

/* ------------------------------------------------------------------------------------------------------------ hash */

/* Keys of 16 bytes: addresses, ports, protocol, zero; one after the other, as packets come, and not in one vector. */
void dpdk_jhash(const uint32_t (*keys)[4], uint32_t seed, uint32_t *hashes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        hashes[i] = rte_jhash_32b(keys[i], 4, seed);
        __asm__ volatile("" ::"r"(&hashes[i]) : "memory");
    }
}

struct rte_hash *dpdk_table(const char *name, uint32_t entries)
{
    struct rte_hash_parameters parameters = {
        .name = name, .entries = entries, .key_len = 8, .hash_func = rte_hash_crc, .hash_func_init_val = 0x5eed, .socket_id = SOCKET_ID_ANY,
        .extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF,
    };
    return rte_hash_create(&parameters);
}

int dpdk_add(const struct rte_hash *table, uint64_t key, uint32_t value)
{
    return rte_hash_add_key_data(table, &key, (void *)(uintptr_t)value);
}

/* The value, or -1. */
int64_t dpdk_get(const struct rte_hash *table, uint64_t key)
{
    void *value;
    return rte_hash_lookup_data(table, &key, &value) < 0 ? -1 : (int64_t)(uintptr_t)value;
}

size_t dpdk_lookup_bulk(const struct rte_hash *table, const uint64_t *keys, size_t n)
{
    size_t known = 0;
    for (size_t at = 0; at < n; at += 32) {
        uint32_t burst = n - at < 32 ? (uint32_t)(n - at) : 32;
        const void *pointers[32];
        void *values[32];
        uint64_t hits = 0;
        for (uint32_t i = 0; i < burst; i++) pointers[i] = &keys[at + i];
        rte_hash_lookup_bulk_data(table, pointers, burst, &hits, values);
        __asm__ volatile("" ::"r"(values) : "memory");
        known += (size_t)__builtin_popcountll(hits);
    }
    return known;
}

size_t dpdk_lookup_single(const struct rte_hash *table, const uint64_t *keys, size_t n)
{
    size_t known = 0;
    for (size_t i = 0; i < n; i++) {
        void *value;
        known += rte_hash_lookup_data(table, &keys[i], &value) >= 0;
        __asm__ volatile("" ::"r"(&value) : "memory");
    }
    return known;
}

void dpdk_free(struct rte_hash *table) { rte_hash_free(table); }

/* ---------------------------------------------------------------------------------- as in examples/tep_termination */

struct packet {
    uint8_t *buffer;
    size_t size, head, tail;
};

struct tunnel {
    struct rte_ether_hdr ethernet;
    struct rte_ipv4_hdr ip;
    rte_be32_t vni;
} __rte_packed;

size_t dpdk_tep_encap(struct packet *packets, const struct tunnel *const *tunnels, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct packet *p = &packets[i];
        const struct tunnel *tunnel = tunnels[i];
        const struct rte_ether_hdr *inner = (const struct rte_ether_hdr *)(p->buffer + p->head);
        /* The example hashes the inner MAC addresses alone, by CRC: here by jhash, keyed as ours. */
        uint32_t hash = rte_jhash(inner, 2 * RTE_ETHER_ADDR_LEN, inner->ether_type);
        uint16_t len = (uint16_t)(p->tail - p->head);
        p->head -= 50;
        struct rte_ether_hdr *ethernet = (struct rte_ether_hdr *)(p->buffer + p->head);
        struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(ethernet + 1);
        struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);
        struct rte_vxlan_hdr *vxlan = (struct rte_vxlan_hdr *)(udp + 1);
        *ethernet = tunnel->ethernet;
        *ip = tunnel->ip;
        ip->total_length = rte_cpu_to_be_16((uint16_t)(len + 36));
        ip->hdr_checksum = rte_ipv4_cksum(ip);
        udp->dst_port = rte_cpu_to_be_16(4789);
        udp->src_port = rte_cpu_to_be_16((uint16_t)((((uint64_t)hash * 16384) >> 32) + 49152));
        udp->dgram_len = rte_cpu_to_be_16((uint16_t)(len + 16));
        udp->dgram_cksum = 0;
        vxlan->vx_flags = rte_cpu_to_be_32(0x08000000);
        vxlan->vx_vni = tunnel->vni;
    }
    return n;
}

size_t dpdk_tep_decap(struct packet *packets, uint32_t *vnis, size_t n)
{
    size_t good = 0;
    for (size_t i = 0; i < n; i++) {
        struct packet *p = &packets[i];
        const struct rte_ether_hdr *ethernet = (const struct rte_ether_hdr *)(p->buffer + p->head);
        const struct rte_ipv4_hdr *ip = (const struct rte_ipv4_hdr *)(ethernet + 1);
        const struct rte_udp_hdr *udp = (const struct rte_udp_hdr *)(ip + 1);
        const struct rte_vxlan_hdr *vxlan = (const struct rte_vxlan_hdr *)(udp + 1);
        if (ethernet->ether_type != rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) || ip->next_proto_id != IPPROTO_UDP
            || udp->dst_port != rte_cpu_to_be_16(4789)) {
            continue;
        }
        vnis[i] = rte_be_to_cpu_32(vxlan->vx_vni) >> 8;
        p->head += 50;
        good++;
    }
    return good;
}
