//! The PROXY protocol, versions 1 and 2: who the client is, said by a load balancer before the first byte of HTTP.
//!
//! It is read only where `data.proxyProtocol` says so, and then it must be there: a connection without it, or with
//! a broken one, is closed. Nothing of it reaches HTTP.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::io::{AsyncRead, AsyncReadExt};

/// The twelve bytes that begin version 2 (the PROXY protocol's own document, section 2.2).
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// A version 1 line is at most 107 bytes long (the same document, section 2.1).
const LONGEST_LINE: usize = 107;

/// Addresses and extensions of version 2 beyond this are nobody's real header.
const LONGEST_BLOCK: usize = 2048;

/// Reads the header; `None` where the balancer speaks for itself (`UNKNOWN`, `LOCAL`).
pub(crate) async fn read<S: AsyncRead + Unpin>(socket: &mut S) -> io::Result<Option<SocketAddr>> {
    let mut first = [0; 12];
    socket.read_exact(&mut first).await?;
    if first == SIGNATURE {
        return version_two(socket).await;
    }
    let mut line = first.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= LONGEST_LINE {
            return Err(broken("its line is too long"));
        }
        line.push(socket.read_u8().await?);
    }
    let line = std::str::from_utf8(&line).map_err(|_| broken("its line is no text"))?;
    version_one(line.trim_end())
}

fn version_one(line: &str) -> io::Result<Option<SocketAddr>> {
    let mut words = line.split(' ');
    if words.next() != Some("PROXY") {
        return Err(broken("it is missing"));
    }
    match words.next() {
        Some("UNKNOWN") => return Ok(None),
        Some("TCP4" | "TCP6") => {}
        _ => return Err(broken("its family is unknown")),
    }
    let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
    let port = words.nth(1).and_then(|word| word.parse::<u16>().ok());
    match (address, port) {
        (Some(address), Some(port)) => Ok(Some(SocketAddr::new(address, port))),
        _ => Err(broken("its addresses cannot be read")),
    }
}

async fn version_two<S: AsyncRead + Unpin>(socket: &mut S) -> io::Result<Option<SocketAddr>> {
    let command = socket.read_u8().await?;
    let family = socket.read_u8().await?;
    let length = usize::from(socket.read_u16().await?);
    if length > LONGEST_BLOCK {
        return Err(broken("its block is too long"));
    }
    let mut block = vec![0; length];
    socket.read_exact(&mut block).await?;
    match command {
        0x20 => Ok(None),
        0x21 => source(family, &block),
        _ => Err(broken("its command is unknown")),
    }
}

fn source(family: u8, block: &[u8]) -> io::Result<Option<SocketAddr>> {
    let short = || broken("its block is too short");
    let port = |at: usize| {
        block
            .get(at..at + 2)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u16::from_be_bytes)
            .ok_or_else(short)
    };
    match family >> 4 {
        1 => {
            let address: [u8; 4] =
                block.get(..4).and_then(|bytes| bytes.try_into().ok()).ok_or_else(short)?;
            Ok(Some(SocketAddr::from((Ipv4Addr::from(address), port(8)?))))
        }
        2 => {
            let address: [u8; 16] =
                block.get(..16).and_then(|bytes| bytes.try_into().ok()).ok_or_else(short)?;
            Ok(Some(SocketAddr::from((Ipv6Addr::from(address), port(32)?))))
        }
        _ => Ok(None),
    }
}

fn broken(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("PROXY protocol header: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn parsed(bytes: &[u8]) -> io::Result<Option<SocketAddr>> {
        read(&mut &*bytes).await
    }

    #[tokio::test]
    async fn version_one_names_the_client() {
        let client = parsed(b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\nGET /").await.unwrap();
        assert_eq!(client, Some("192.0.2.1:56324".parse().unwrap()));
        let client = parsed(b"PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n").await.unwrap();
        assert_eq!(client, Some("[2001:db8::1]:1".parse().unwrap()));
        assert_eq!(parsed(b"PROXY UNKNOWN\r\n").await.unwrap(), None);
    }

    #[tokio::test]
    async fn version_two_names_the_client() {
        let mut header = SIGNATURE.to_vec();
        header.extend([0x21, 0x11, 0, 12, 192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 0x04, 1, 187]);
        assert_eq!(parsed(&header).await.unwrap(), Some("192.0.2.1:56324".parse().unwrap()));
        let mut local = SIGNATURE.to_vec();
        local.extend([0x20, 0, 0, 0]);
        assert_eq!(parsed(&local).await.unwrap(), None);
    }

    #[tokio::test]
    async fn anything_else_is_refused() {
        let mut long = b"PROXY TCP4 ".to_vec();
        long.extend([b'1'; 200]);
        let mut short = SIGNATURE.to_vec();
        short.extend([0x21, 0x21, 0, 4, 1, 2, 3, 4]);
        for wrong in
            [&b"GET / HTTP/1.1\r\n\r\n"[..], b"PROXY TCP4 x y z\r\n", b"PROXY", &long, &short]
        {
            assert!(parsed(wrong).await.is_err(), "{wrong:?}");
        }
    }
}
