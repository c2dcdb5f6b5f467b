// The same for Asio's TLS.
#include <boost/asio/ssl/impl/src.hpp>
