# A tiny name server for hand tests: A and SRV from a dict, on 127.0.0.1:5399.
import socket,struct,threading
AAAA={'both.default.svc.cluster.local':['::1']}
A={'both.default.svc.cluster.local':['127.0.0.1'],'web.default.svc.cluster.local':['127.0.0.1'],'rabbit-0.rabbit-nodes.default.svc.cluster.local':['127.0.0.1']}
SRV={'_dist._tcp.rabbit-nodes.default.svc.cluster.local':[('rabbit-0.rabbit-nodes.default.svc.cluster.local',9100)]}
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('127.0.0.1',5399))
def enc(n): return b''.join(bytes([len(l)])+l.encode() for l in n.split('.'))+b'\0'
while True:
    d,a=s.recvfrom(4096); i=12; ls=[]
    while d[i]: ls.append(d[i+1:i+1+d[i]].decode()); i+=d[i]+1
    q=d[12:i+5]; t=struct.unpack('>H',d[i+1:i+3])[0]; n='.'.join(ls).lower(); rr=b''; c=0
    if t==1:
        for x in A.get(n,[]): rr+=b'\xc0\x0c'+struct.pack('>HHIH',1,1,5,4)+socket.inet_aton(x); c+=1
    if t==28:
        for x in AAAA.get(n,[]): rr+=b'\xc0\x0c'+struct.pack('>HHIH',28,1,5,16)+socket.inet_pton(socket.AF_INET6,x); c+=1
    if t==33:
        for h,p in SRV.get(n,[]): e=struct.pack('>HHH',0,1,p)+enc(h); rr+=b'\xc0\x0c'+struct.pack('>HHIH',33,1,5,len(e))+e; c+=1
    rc=0 if (n in A or n in SRV) else 3
    s.sendto(d[:2]+struct.pack('>HHHHH',0x8580|rc,1,c,0,0)+q+rr,a)
