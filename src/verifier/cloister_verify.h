/* The verifier for programs in C, and for every language that calls C. Keeps nothing between calls,
 * opens no file, makes no connection and reads no clock. Safe from several threads at once. */
#ifndef CLOISTER_VERIFY_H
#define CLOISTER_VERIFY_H

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of the caller's; {NULL, 0} where there are none. */
typedef struct {
  const unsigned char* data;
  unsigned long size;
} cloister_bytes;

/* A file's name and content: a piece of evidence, or an endorsement under its usual name
 * (tcb_info.json, qe_identity.json, tcb_signing_chain.pem, root_ca.crl.der, pck_ca.crl.der,
 * pck_chain.pem, vek.der, vek_chain.pem, amd.crl.der). */
typedef struct {
  const char* name;
  cloister_bytes content;
} cloister_file;

/* What every judgement needs. */
typedef struct {
  const cloister_file* endorsements;
  unsigned long endorsement_count;
  const char* policy_json; /* NULL for the default, which accepts nothing that is not pinned */
  long long now;           /* seconds since 1970-01-01T00:00:00Z */
} cloister_case;

/* What the caller knows of its own connection; leave out what it does not know. */
typedef struct {
  cloister_bytes spki;         /* of the peer's TLS certificate, DER */
  cloister_bytes nonce;        /* the one that was asked for */
  cloister_bytes tls_exporter; /* RFC 9266, 32 bytes */
} cloister_channel;

enum {
  CLOISTER_ACCEPTED = 0,
  CLOISTER_REFUSED = 1,
  CLOISTER_MISUSED = 2 /* a malformed policy or argument, or no memory; no verdict then */
};

/* Each puts the verdict, one JSON object ended by NUL, into *verdict; cloister_verify_free gives it
 * back. Only CLOISTER_ACCEPTED means that the evidence may be relied on. */

/* A TLS peer's certificate, DER. */
int cloister_verify_certificate(cloister_bytes certificate, const cloister_case* the_case,
                                char** verdict);
/* The body of GET /v2/attestation. */
int cloister_verify_answer(cloister_bytes body, const cloister_channel* channel,
                           const cloister_case* the_case, char** verdict);
/* Recorded evidence: a quote, a report, a TPM quote or an Azure bundle, in named files. `name` is
 * the file to judge, or NULL where there is only one; `nonce` is what a TPM quote should hold. */
int cloister_verify_recorded(const cloister_file* files, unsigned long file_count, const char* name,
                             cloister_bytes nonce, const cloister_case* the_case, char** verdict);

void cloister_verify_free(char* verdict);

#ifdef __cplusplus
}
#endif

#endif
