"""Between the socket and the routes: HTTP/1.1, TLS, proxies, CORS, limits of bodies, shedding."""
