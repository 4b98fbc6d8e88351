#pragma once

#include <string>
#include <vector>

#include "crypto/x509.h"

namespace cloister {

inline constexpr std::size_t kCertificateNamesMax = 16;

/// What a client's certificate is called: the DNS, mail and URI names of its subject alternative
/// name; where it has none, its subject's common name, if that is one UTF-8, printable or IA5
/// text. Names with a NUL or over 255 bytes are passed over. At most kCertificateNamesMax; past
/// that, none. Fails: `corrupt`. Source: RFC 5280, 4.1.2.6 and 4.2.1.6.
Result<std::vector<std::string>> names_in(const Certificate& certificate);

/// Whether the extended key usage, where there is one, lets it be a TLS client's.
/// Fails: `corrupt`. Source: RFC 5280, 4.2.1.12.
Result<bool> may_be_a_client(const Certificate& certificate);

}  // namespace cloister
