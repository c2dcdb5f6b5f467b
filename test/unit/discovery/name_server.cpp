#include "test/unit/discovery/name_server.hpp"

#include <algorithm>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

namespace rollcall::discovery::testing {
namespace {

constexpr std::size_t header_size = 12;

void put16(bytes& out, unsigned value) {
  out.push_back(static_cast<unsigned char>(value >> 8));
  out.push_back(static_cast<unsigned char>(value));
}

void append(bytes& out, const bytes& more) {
  out.insert(out.end(), more.begin(), more.end());
}

unsigned at16(const bytes& in, std::size_t offset) {
  return static_cast<unsigned>(in.at(offset) << 8) | in.at(offset + 1);
}

}  // namespace

bytes encode_name(const std::string& name) {
  bytes out;
  for (std::size_t from = 0; from < name.size();) {
    const auto dot = std::min(name.find('.', from), name.size());
    if (dot > from) {
      out.push_back(static_cast<unsigned char>(dot - from));
      out.insert(out.end(), name.begin() + static_cast<std::ptrdiff_t>(from),
                 name.begin() + static_cast<std::ptrdiff_t>(dot));
    }
    from = dot + 1;
  }
  out.push_back(0);
  return out;
}

message& message::raw(std::uint16_t type, const bytes& data) {
  if (owner_.empty()) {
    put16(answers_, 0xc00c);  // the name asked for
  } else {
    append(answers_, owner_);
  }
  put16(answers_, type);
  put16(answers_, 1);  // IN
  put16(answers_, 0);
  put16(answers_, 5);  // TTL
  put16(answers_, static_cast<unsigned>(data.size()));
  append(answers_, data);
  ++count_;
  return *this;
}

message& message::srv(const std::string& target, std::uint16_t port, std::uint16_t priority) {
  bytes data;
  put16(data, priority);
  put16(data, 10);  // weight
  put16(data, port);
  append(data, encode_name(target));
  return raw(type_srv, data);
}

message& message::a(const std::string& address) {
  const auto octets = asio::ip::make_address_v4(address).to_bytes();
  return raw(type_a, {octets.begin(), octets.end()});
}

message& message::aaaa(const std::string& address) {
  const auto octets = asio::ip::make_address_v6(address).to_bytes();
  return raw(type_aaaa, {octets.begin(), octets.end()});
}

message& message::cname(const std::string& target) {
  raw(5, encode_name(target));
  owner_ = encode_name(target);
  return *this;
}

bytes message::build() const {
  bytes out;
  put16(out, id_);
  put16(out, 0x8580U | (truncated_ ? 0x0200U : 0U) | rcode_);  // QR AA RD RA
  put16(out, 1);
  put16(out, count_);
  put16(out, 0);
  put16(out, 0);
  append(out, asked_.section);
  append(out, answers_);
  return out;
}

name_server::name_server(asio::io_context& context, const std::string& address, std::uint16_t port)
    : udp_(context), tcp_(context) {
  const auto host = asio::ip::make_address(address);
  for (int attempt = 0; !tcp_.is_open() && attempt < 50; ++attempt) {  // a port that is free for both
    boost::system::error_code error;
    udp_ = asio::ip::udp::socket(context, asio::ip::udp::endpoint(host, port));
    asio::ip::tcp::acceptor candidate(context, asio::ip::tcp::v4());
    candidate.bind({host, udp_.local_endpoint().port()}, error);
    if (!error) candidate.listen(asio::socket_base::max_listen_connections, error);
    if (!error) tcp_ = std::move(candidate);
  }
  receive();
  accept();
}

name_server::~name_server() {
  *alive_ = false;
}

void name_server::receive() {
  buffer_.resize(65'535);
  udp_.async_receive_from(asio::buffer(buffer_), sender_,
                          [this, alive = alive_](boost::system::error_code error, std::size_t size) {
                            if (!*alive || error == asio::error::operation_aborted) return;
                            if (!error) {
                              take({buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(size)},
                                   false, [this, alive, to = sender_](const bytes& answer) {
                                     boost::system::error_code ignored;
                                     if (*alive) udp_.send_to(asio::buffer(answer), to, 0, ignored);
                                   });
                            }
                            receive();
                          });
}

void name_server::accept() {
  tcp_.async_accept([this, alive = alive_](boost::system::error_code error, asio::ip::tcp::socket socket) {
    if (!*alive || error) return;
    auto peer = std::make_shared<asio::ip::tcp::socket>(std::move(socket));
    auto length = std::make_shared<bytes>(2);
    asio::async_read(*peer, asio::buffer(*length), [=, this](boost::system::error_code failed, std::size_t) {
      if (failed || !*alive) return;
      auto body = std::make_shared<bytes>(at16(*length, 0));
      asio::async_read(*peer, asio::buffer(*body), [=, this](boost::system::error_code broken, std::size_t) {
        if (broken || !*alive) return;
        take(*body, true, [peer](const bytes& answer) {
          auto out = std::make_shared<bytes>();
          put16(*out, static_cast<unsigned>(answer.size()));
          append(*out, answer);
          asio::async_write(*peer, asio::buffer(*out),
                            [peer, out](boost::system::error_code, std::size_t) {});
        });
      });
    });
    accept();
  });
}

void name_server::take(bytes in, bool tcp, std::function<void(bytes)> reply) {
  question asked;
  asked.id = static_cast<std::uint16_t>(at16(in, 0));
  asked.edns = at16(in, 10) == 1;
  asked.tcp = tcp;
  asked.reply = std::move(reply);
  std::size_t at = header_size;
  while (in.at(at) != 0) {
    asked.name.append(in.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                      in.begin() + static_cast<std::ptrdiff_t>(at) + 1 + in[at]);
    asked.name += '.';
    at += 1U + in[at];
  }
  asked.type = static_cast<std::uint16_t>(at16(in, at + 1));
  asked.section.assign(in.begin() + header_size, in.begin() + static_cast<std::ptrdiff_t>(at) + 5);
  questions.push_back(asked);
  if (on_question) on_question(asked);
}

std::size_t name_server::asked(std::uint16_t type) const {
  return names(type).size();
}

std::vector<std::string> name_server::names(std::uint16_t type) const {
  std::vector<std::string> found;
  for (const auto& each : questions) {
    if (each.type == type) found.push_back(each.name);
  }
  return found;
}

}  // namespace rollcall::discovery::testing
