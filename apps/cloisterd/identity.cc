#include "identity.h"

#include <utility>

#include "base/posix/posix_clock.h"
#include "crypto/aead.h"
#include "encoding/base64.h"

namespace cloister {
ServerFacts server_facts(const ServerConfig& config, const Sha256Digest& software,
                         const std::string& sandbox) {
  ServerFacts facts;
  facts.configuration = sha256(bytes_of(canonical_text(config)));
  facts.software = software;
  facts.isolation = config.isolation;
  facts.sandbox = sandbox;
  facts.anchor = config.anchor;
  return facts;
}

Result<TlsKey> TlsKey::make(Shown shown) {
  CLOISTER_ASSIGN(SigningKey key, SigningKey::generate_p256());
  return TlsKey(std::move(key), std::move(shown));
}

std::string TlsKey::pin() const { return "sha256//" + base64_encode(sha256(key_.spki())); }

Result<TlsIdentity> TlsKey::identity(CertificateKeeper& keeper) const {
  CLOISTER_ASSIGN(ByteVector certificate, keeper.renew());
  if (shown_) shown_(certificate);
  CLOISTER_ASSIGN(SecretBytes private_key, key_.pkcs8());
  return TlsIdentity{std::move(private_key), std::move(certificate)};
}

Result<std::unique_ptr<HttpsServer>> listen(const ServerConfig& config, const TlsKey& tls,
                                            CertificateKeeper& keeper, RequestHandler& handler) {
  CLOISTER_ASSIGN(TlsIdentity identity, tls.identity(keeper));
  ListenerSettings settings;
  settings.address = config.listen_address;
  settings.port = config.listen_port;
  settings.connections_max = config.connections_max;
  settings.io_threads = config.io_threads;
  const PosixClock clock;
  return start_https_server(settings, std::move(identity), handler,
                            make_aeads_quicker_than_openssl(clock));
}

}  // namespace cloister
